package sqsbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// What failed in a batch through no fault of ours is sent again, this often in all and after this long, which doubles.
const (
	maxTries   = 4
	firstPause = 50 * time.Millisecond
)

// request makes one batch request of the entries with the numbers, under the ids that entryID makes of them.
type request func(ctx context.Context, numbers []int) (answered, error)

// answered is what SQS answered to a request: the ids of the entries that it did, and those that it did not.
type answered struct {
	done   []string
	failed []types.BatchResultErrorEntry
}

// batch sends n entries, numbered from 0, and returns the answer to each.
func batch(ctx context.Context, n int, call request) []error {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	answers := make([]error, n)
	send(ctx, numbers, answers, call)
	return answers
}

// send sends the entries with the numbers until each has an answer that stands.
func send(ctx context.Context, numbers []int, answers []error, call request) {
	pause := firstPause
	for try := 1; ; try++ {
		got, err := call(ctx, numbers)
		if err != nil && len(numbers) > 1 && refusesAll(err) {
			for i := range numbers {
				send(ctx, numbers[i:i+1:i+1], answers, call)
			}
			return
		}
		numbers = settle(numbers, answers, got, err)
		if len(numbers) == 0 || try == maxTries || !wait(ctx, pause) {
			return
		}
		pause *= 2
	}
}

var errNoAnswer = errors.New("the answer does not mention the entry")

// settle notes the answers to the entries, and returns those that are worth another try. Where the request failed as a
// whole the SDK has tried again already.
func settle(numbers []int, answers []error, got answered, err error) (again []int) {
	for _, i := range numbers {
		id := entryID(i)
		fault := slices.IndexFunc(got.failed, func(f types.BatchResultErrorEntry) bool { return aws.ToString(f.Id) == id })
		switch {
		case err != nil:
			answers[i] = err
		case fault >= 0:
			f := got.failed[fault]
			answers[i] = fmt.Errorf("%s: %s", aws.ToString(f.Code), aws.ToString(f.Message))
			if !f.SenderFault {
				again = append(again, i)
			}
		case slices.Contains(got.done, id):
			answers[i] = nil
		default:
			answers[i] = errNoAnswer
		}
	}
	return again
}

// refusals are the errors by which SQS refuses a whole request for what one entry has, and does not say which.
var refusals = []string{
	"AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLong", "InvalidMessageContents", "InvalidParameterValue",
}

func refusesAll(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains(refusals, e.ErrorCode())
}

func entryID(number int) string { return strconv.Itoa(number) }

// wait waits, and reports whether it did so to the end.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
