package sqsbus

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// script is an SQS that answers requests as the entries are set: how often an entry fails before it is done, negative for
// the sender's fault, and those that it never mentions.
type script struct {
	failures map[int]int
	silent   int
	refuses  int // the entry for which every request of several is refused
	requests [][]int
}

func (s *script) call(_ context.Context, numbers []int) (answered, error) {
	s.requests = append(s.requests, slices.Clone(numbers))
	if len(numbers) > 1 && slices.Contains(numbers, s.refuses) {
		return answered{}, &smithy.GenericAPIError{Code: "InvalidMessageContents", Fault: smithy.FaultClient}
	}
	var a answered
	for _, n := range numbers {
		switch left := s.failures[n]; {
		case n == s.silent:
		case left != 0:
			s.failures[n] = max(left-1, -1)
			a.failed = append(a.failed, types.BatchResultErrorEntry{
				Id: aws.String(entryID(n)), Code: aws.String("Code"), Message: aws.String("says why"), SenderFault: left < 0,
			})
		default:
			a.done = append(a.done, entryID(n))
		}
	}
	return a, nil
}

func TestOnlyWhatFailedThroughNoFaultOfOursIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{failures: map[int]int{1: 2, 3: -1, 4: 1, 5: 100}, silent: 6, refuses: -1}
		answers := batch(t.Context(), 7, s.call)
		for n, failed := range map[int]bool{0: false, 1: false, 2: false, 3: true, 4: false, 5: true, 6: true} {
			if (answers[n] != nil) != failed {
				t.Errorf("entry %d: %v", n, answers[n])
			}
		}
		want := [][]int{{0, 1, 2, 3, 4, 5, 6}, {1, 4, 5}, {1, 5}, {5}}
		if !reflect.DeepEqual(s.requests, want) {
			t.Errorf("the requests were %v, want %v", s.requests, want)
		}
		if got := answers[3].Error(); got != "Code: says why" {
			t.Errorf("the answer to entry 3 is %q", got)
		}
	})
}

func TestARefusedBatchIsSentEachAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{failures: map[int]int{0: 1, 2: -1}, silent: -1, refuses: 2}
		answers := batch(t.Context(), 3, s.call)
		if answers[0] != nil || answers[1] != nil || answers[2] == nil {
			t.Errorf("the answers are %v", answers)
		}
		if want := [][]int{{0, 1, 2}, {0}, {0}, {1}, {2}}; !reflect.DeepEqual(s.requests, want) {
			t.Errorf("the requests were %v, want %v", s.requests, want)
		}
	})
}

func TestABatchThatFailsAsAWholeFailsForAll(t *testing.T) {
	gone := errors.New("no connection")
	calls := 0
	answers := batch(t.Context(), 2, func(context.Context, []int) (answered, error) {
		calls++
		return answered{}, gone
	})
	if calls != 1 || !errors.Is(answers[0], gone) || !errors.Is(answers[1], gone) {
		t.Errorf("%d calls: %v", calls, answers)
	}
}

func TestRepeatingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), firstPause/2)
		defer cancel()
		s := &script{failures: map[int]int{0: 100}, silent: -1, refuses: -1}
		if answers := batch(ctx, 1, s.call); answers[0] == nil || len(s.requests) != 1 {
			t.Errorf("%d requests: %v", len(s.requests), answers)
		}
	})
}
