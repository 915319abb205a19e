// Package lockstep calls Lockstep over HTTP with nothing but the standard library: reads, writes that are repeated
// safely, and guards for transactions of the caller's own. Goroutines may share one Client.
package lockstep

import (
	"bytes"
	"context"
	crypto "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Error says why a call failed. Branch on Code. Outcome says what became of a write: not_applied, unknown or applied.
type Error struct {
	Code, Outcome, Detail, ETag string
	Retryable                   bool
	IdempotencyKey              string // repeat an unknown write with it
	retryAfter                  time.Duration
	attempts                    int
	wasUnknown                  bool // of any attempt
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%s): %s", e.Code, e.Outcome, e.Detail) }

// Client needs URL and Token; bound its calls by HTTP.Timeout.
type Client struct {
	URL, Token string
	HTTP       http.Client
}

const attempts = 8

// Answer has the fields of all calls. Decode Value, the row; decimals and whole numbers beyond 2^53 are text in it.
type Answer struct {
	Value                        json.RawMessage
	Version                      int64
	Source, Outcome, Cache, ETag string
	ID                           string  // of a guard
	Keys, Results                []Keyed // of a guard, of invalidations
}

// Keyed is what an answer says of one of several keys. Key is as the coordinator spells it.
type Keyed struct {
	Resource, Cache string
	Key             any
	Fence, Version  int64
}

// Key names a row. Key is a text, a number, or []any with the parts of a composite key.
type Key struct {
	Resource string `json:"resource"`
	Key      any    `json:"key"`
}

// Conditions of a write. IfMatch is the ETag that the row must have. Without an IdempotencyKey it gets a new one.
type Conditions struct{ IfMatch, IdempotencyKey string }

// Get answers the row, or nil where there is no such row.
func (c *Client) Get(ctx context.Context, key Key) (*Answer, error) {
	answer, err := c.call(ctx, "GET", key.path(), nil, nil, true)
	if failed := new(Error); errors.As(err, &failed) && failed.Code == "NOT_FOUND" {
		return nil, nil
	}
	return answer, err
}

// Write sends a PUT, a PATCH or a DELETE, which is applied once however often it is sent. If it fails with the outcome
// unknown, send it again with the IdempotencyKey of the error.
func (c *Client) Write(ctx context.Context, method string, key Key, body any, conditions Conditions) (*Answer, error) {
	id := conditions.IdempotencyKey
	if id == "" {
		random := make([]byte, 16)
		if _, err := crypto.Read(random); err != nil {
			return nil, err
		}
		id = fmt.Sprintf("%x", random)
	}
	headers := map[string]string{"Idempotency-Key": id}
	if conditions.IfMatch != "" {
		headers["If-Match"] = conditions.IfMatch
	}
	answer, err := c.call(ctx, method, key.path(), body, headers, true)
	if failed := new(Error); errors.As(err, &failed) {
		failed.IdempotencyKey = id
		if failed.wasUnknown { // an attempt that was not answered may still arrive, whatever the last one was answered
			failed.Code, failed.Outcome = "OUTCOME_UNKNOWN", "unknown"
		}
	}
	return answer, err
}

// Invalidate tells that the caller has changed rows itself.
func (c *Client) Invalidate(ctx context.Context, keys ...Key) (*Answer, error) {
	return c.call(ctx, "POST", "/v1/invalidations", map[string]any{"keys": keys}, nil, true)
}

// Guard holds rows of strict resources while work runs a transaction that calls lockstep_guard. work must return nil
// only if it has committed, and an error only if it has rolled back.
func (c *Client) Guard(ctx context.Context, ttl time.Duration, work func([]Keyed) error, keys ...Key) error {
	asked := map[string]any{"keys": keys, "ttl": ttl.Milliseconds()}
	// Asked for twice, the first grant would stand in the way of the second: it is not repeated once it was sent.
	taken, err := c.call(ctx, "POST", "/v1/guards", asked, nil, false)
	if err != nil {
		return err
	}
	if cause := work(taken.Keys); cause != nil {
		if untold := c.tell(taken.ID, "rollback"); untold != nil && untold.Code == "GUARD_LOST" && untold.Outcome == "applied" {
			return untold // work failed, but its transaction has committed
		}
		return cause
	}
	untold := c.tell(taken.ID, "commit")
	// What cannot be told now has committed all the same: its rows stay hidden until the coordinators know.
	if untold != nil && untold.Outcome != "applied" && (untold.Code == "GUARD_LOST" || untold.Code == "UNKNOWN_GUARD") {
		return untold
	}
	return nil
}

// tell is not bound to the caller's context: the coordinator should know also what the caller gave up.
func (c *Client) tell(id, what string) *Error {
	_, err := c.call(context.Background(), "POST", "/v1/guards/"+url.PathEscape(id)+"/"+what, nil, nil, true)
	failed := new(Error)
	if !errors.As(err, &failed) || (failed.Code == "UNKNOWN_GUARD" && failed.attempts > 1) {
		return nil // told, maybe by an attempt whose answer was lost
	}
	return failed
}

// call is a call over all its attempts.
func (c *Client) call(ctx context.Context, method, path string, body any, headers map[string]string, isRepeatable bool) (*Answer, error) {
	wasUnknown := false
	for attempt := 1; ; attempt++ {
		answer, failed := c.send(ctx, method, path, body, headers)
		if failed == nil {
			return answer, nil
		}
		wasUnknown = wasUnknown || failed.Outcome == "unknown"
		if attempt == attempts || !failed.Retryable || ctx.Err() != nil || (wasUnknown && !isRepeatable) {
			failed.wasUnknown, failed.attempts = wasUnknown, attempt
			return nil, failed
		}
		pause := time.Duration(rand.Int63n(int64(20*time.Millisecond) << attempt))
		if pause < failed.retryAfter {
			pause = failed.retryAfter
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// send is one attempt.
func (c *Client) send(ctx context.Context, method, path string, body any, headers map[string]string) (*Answer, *Error) {
	var data []byte
	var err error
	if body != nil {
		if data, err = json.Marshal(body); err != nil {
			return nil, &Error{Code: "INVALID", Outcome: "not_applied", Detail: err.Error()}
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(data))
	if err != nil {
		return nil, &Error{Code: "INVALID", Outcome: "not_applied", Detail: err.Error()}
	}
	request.Header.Set("Authorization", "Bearer "+c.Token)
	request.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	reply, err := c.HTTP.Do(request)
	if err != nil {
		return nil, &Error{Code: "NO_ANSWER", Outcome: "unknown", Detail: err.Error(), Retryable: true}
	}
	defer reply.Body.Close()
	if reply.StatusCode >= 300 {
		return nil, refusal(reply)
	}
	answer := &Answer{}
	if reply.StatusCode != http.StatusNoContent {
		if err := json.NewDecoder(reply.Body).Decode(answer); err != nil {
			return nil, &Error{Code: "NO_ANSWER", Outcome: "unknown", Detail: err.Error(), Retryable: true}
		}
	}
	answer.ETag = reply.Header.Get("ETag")
	return answer, nil
}

// refusal says what a refused call's answer says. What is not Lockstep's (a proxy's page) says nothing of the write.
func refusal(reply *http.Response) *Error {
	failed := &Error{}
	if err := json.NewDecoder(reply.Body).Decode(failed); err != nil || failed.Code == "" || failed.Outcome == "" {
		failed = &Error{Code: "NO_ANSWER", Outcome: "unknown", Detail: reply.Status, Retryable: reply.StatusCode >= 500}
	}
	seconds, _ := strconv.Atoi(reply.Header.Get("Retry-After"))
	failed.retryAfter = time.Duration(seconds) * time.Second
	return failed
}

// path has the parts of the key, percent-encoded each, and joined by a bare comma.
func (k Key) path() string {
	parts, isComposite := k.Key.([]any)
	if !isComposite {
		parts = []any{k.Key}
	}
	texts := make([]string, len(parts))
	for index, part := range parts {
		texts[index] = url.PathEscape(fmt.Sprint(part))
	}
	return "/v1/resources/" + k.Resource + "/" + strings.Join(texts, ",")
}
