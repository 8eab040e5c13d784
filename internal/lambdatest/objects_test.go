package lambdatest_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	awsevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"baton.dev/baton/events"
	"baton.dev/baton/internal/intake/sqsintake"
	"baton.dev/baton/internal/lambdatest"
	"baton.dev/baton/internal/sqstest"
)

// album is the chain as it is deployed with a bucket, a door of its tenant's own, and batches.
type album struct {
	*stack
	base, bucket string
	objects      *s3.Client
	model        seen
}

// seen keeps what a model was sent.
type seen struct {
	mu     sync.Mutex
	bodies []string
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.bodies = append(s.bodies, string(body))
	s.mu.Unlock()
	answerAtOnce(w, r)
}

// with returns how many of the bodies have the text in them.
func (s *seen) with(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, b := range s.bodies {
		if strings.Contains(b, text) {
			n++
		}
	}
	return n
}

func deployAlbum(t *testing.T) *album {
	t.Helper()
	server := sqstest.Start(t, os.Getenv)
	if server.Real {
		t.Skip("the functions run with the credentials of a local server: not on a real account")
	}
	a := &album{base: server.Base(), stack: &stack{t: t, mappings: map[events.Hop][]*lambdatest.Mapping{}}}
	a.objects, a.bucket = server.Bucket(t)
	model := httptest.NewServer(&a.model)
	t.Cleanup(model.Close)
	c := configure(t, fmt.Sprintf("  m: {targets: [{name: sim, api: openai, url: %s/v1}]}", model.URL))
	a.ledger = newLedger(t, c)
	root, _, ok := strings.Cut(a.base, "/000000000000/")
	if !ok {
		t.Fatalf("the queues are at %s", a.base)
	}
	a.functions = functions(t, 20*time.Second, []string{
		"BATON_CONFIG=" + c.path, "BATON_SQS_URL=" + a.base, "BATON_REDIS_URL=redis://" + miniredis.RunT(t).Addr(),
		"BATON_OBJECTS=s3://" + a.bucket + "/baton", "AWS_ENDPOINT_URL_S3=" + root, "WHSEC=" + c.secret, "BATON_LOG=info",
	}, func(events.Hop) string { return root })
	a.ledger.ingest = a.functions[events.Ingest]
	lanes := []events.Lane{{Hop: events.Batch, Priority: events.Low}}
	for _, p := range []events.Priority{events.Normal, events.Low} {
		lanes = append(lanes, events.Lane{Hop: events.Schedule, Priority: p}, events.Lane{Hop: events.Callback, Priority: p},
			events.Lane{Hop: events.Infer, Priority: p, Target: "sim"})
	}
	a.queue(server, a.base, lanes...)
	own := sqsintake.QueueURL(a.base, "t")
	server.Create(t, own, map[string]string{"VisibilityTimeout": "60"})
	a.mapTo(events.Ingest, own)
	return a
}

// keys returns the keys in the bucket that begin so.
func (a *album) keys(ctx context.Context, prefix string) []string {
	a.t.Helper()
	out, err := a.objects.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(a.bucket), Prefix: aws.String("baton/" + prefix)})
	if err != nil {
		a.t.Fatal(err)
	}
	var all []string
	for _, o := range out.Contents {
		all = append(all, aws.ToString(o.Key))
	}
	return all
}

// accept sends a request with an image, and returns its message id and the image as a data URL.
func (a *album) accept(ctx context.Context, seed byte) (id, image string) {
	a.t.Helper()
	bytes := make([]byte, 300<<10)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(bytes)
	image = "data:image/png;base64," + base64.StdEncoding.EncodeToString(bytes)
	out := a.ask(ctx, "POST", "/v1/inferences", fmt.Sprintf(
		`{"model_id":"m","messages":[{"role":"user","content":[{"type":"text","text":"é"},{"type":"image_url","image_url":{"url":%q}}]}],"callback_url":%q}`,
		image, a.ledger.receiver.URL), http.StatusAccepted)
	return out["message_id"].(string), image
}

// ask sends a request through the gateway, and returns what is answered.
func (a *album) ask(ctx context.Context, method, target, body string, want int) map[string]any {
	a.t.Helper()
	out, err := a.ledger.call(ctx, method, target, body)
	if err != nil {
		a.t.Fatal(err)
	}
	var said map[string]any
	if err := json.Unmarshal([]byte(out.Body), &said); err != nil || out.StatusCode != want {
		a.t.Fatalf("%s %s was answered %d: %s", method, target, out.StatusCode, out.Body)
	}
	return said
}

// delivered waits for the result of the request.
func (a *album) delivered(ctx context.Context, id string) result {
	a.t.Helper()
	for {
		a.ledger.mu.Lock()
		res, ok := a.ledger.results[id]
		a.ledger.mu.Unlock()
		if ok {
			return res
		}
		a.pause(ctx, "callback")
	}
}

func TestWhatIsTooLargeForAQueueGoesBySideThroughTheChainOnLambda(t *testing.T) {
	a := deployAlbum(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lost, gone := a.accept(ctx, 1)
	for _, key := range a.keys(ctx, "parts/") {
		if _, err := a.objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(a.bucket), Key: aws.String(key)}); err != nil {
			t.Fatal(err)
		}
	}
	id, image := a.accept(ctx, 2)
	if kept := a.keys(ctx, "parts/"); len(kept) != 1 {
		t.Fatalf("in the bucket are %v, want the image", kept)
	}
	a.enable()

	if res := a.delivered(ctx, id); res.Status != "completed" || a.model.with(image) != 1 {
		t.Errorf("it came to %+v, and the model has seen the image %d times", res, a.model.with(image))
	}
	if res := a.delivered(ctx, lost); res.Status != "failed" || res.Error.Code != events.CodeDataMissing || a.model.with(gone[:100]) != 0 {
		t.Errorf("without its image it came to %+v", res)
	}
	for len(a.keys(ctx, "")) > 0 {
		a.pause(ctx, "removal of the objects")
	}
}

func TestATenantsOwnQueueLeadsThroughTheChainOnLambda(t *testing.T) {
	a := deployAlbum(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a.enable()
	send := func(body string, attributes map[string]types.MessageAttributeValue) {
		t.Helper()
		_, err := a.client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: aws.String(sqsintake.QueueURL(a.base, "t")), MessageBody: &body, MessageAttributes: attributes,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	body := func(prompt string) string {
		return fmt.Sprintf(`{"model_id":"m","prompt":%q,"callback_url":%q}`, prompt, a.ledger.receiver.URL)
	}
	text := func(value string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
	}
	send(body("as it is"), nil)
	send(body("as an event"), map[string]types.MessageAttributeValue{
		"ce-specversion": text("1.0"), "ce-id": text("1"), "ce-source": text("/shop"), "ce-type": text(string(events.Requested)),
	})
	for _, prompt := range []string{"as it is", "as an event"} {
		for a.model.with(prompt) == 0 {
			a.pause(ctx, "call for what was sent "+prompt)
		}
	}
	for arrived := 0; arrived < 2; a.pause(ctx, "callback") {
		a.ledger.mu.Lock()
		arrived = len(a.ledger.results)
		for id, res := range a.ledger.results {
			if res.Status != "completed" {
				t.Errorf("%s came to %+v", id, res)
			}
		}
		a.ledger.mu.Unlock()
	}
}

func TestABatchIsWorkedOffOnLambda(t *testing.T) {
	a := deployAlbum(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const lines = 25
	var input strings.Builder
	for n := range lines {
		fmt.Fprintf(&input, `{"custom_id":"line %d","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"p"}]}}`+"\n", n)
	}
	file := a.upload(ctx, "--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"+
		"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n\r\n"+input.String()+"\r\n--x--\r\n")
	batch := a.ask(ctx, "POST", "/v1/batches",
		fmt.Sprintf(`{"input_file_id":%q,"endpoint":"/v1/chat/completions","completion_window":"24h"}`, file), http.StatusOK)
	a.enable()
	for batch["status"] != "completed" {
		if batch["status"] == "failed" {
			t.Fatalf("the batch is %v", batch)
		}
		a.pause(ctx, "end of the batch")
		batch = a.ask(ctx, "GET", "/v1/batches/"+batch["id"].(string), "", http.StatusOK)
	}
	out, err := a.ledger.call(ctx, "GET", "/v1/files/"+batch["output_file_id"].(string)+"/content", "")
	if err != nil || out.StatusCode != http.StatusOK || strings.Count(out.Body, "\n") != lines {
		t.Errorf("the answers are %+v, %v", out, err)
	}
	for n := range lines {
		if !strings.Contains(out.Body, fmt.Sprintf(`"line %d"`, n)) {
			t.Errorf("line %d has no answer", n)
		}
	}
}

// upload uploads a form with a file, and returns the file's id.
func (a *album) upload(ctx context.Context, form string) string {
	a.t.Helper()
	headers := map[string]string{"authorization": "Bearer " + a.ledger.key, "content-type": "multipart/form-data; boundary=x"}
	answer, err := a.functions[events.Ingest].Invoke(ctx, lambdatest.HTTPEvent(a.t, "POST", "/v1/files", headers, form))
	if err != nil {
		a.t.Fatal(err)
	}
	var out awsevents.APIGatewayV2HTTPResponse
	var file struct{ ID string }
	if json.Unmarshal(answer, &out) != nil || out.StatusCode != http.StatusOK || json.Unmarshal([]byte(out.Body), &file) != nil {
		a.t.Fatalf("the upload was answered %s", answer)
	}
	return file.ID
}
