// Walks over one row of examples/accounts/lockstep.json and prints a line for each step: go run ./walk URL TOKEN
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"example.com/lockstep"
)

var errChanged = errors.New("the work under the guard has thought better of it")

func main() {
	ctx := context.Background()
	client := &lockstep.Client{URL: os.Args[1], Token: os.Args[2], HTTP: http.Client{Timeout: 30 * time.Second}}
	account := lockstep.Key{Resource: "account", Key: time.Now().UnixMilli()}
	write := func(method string, body any, conditions lockstep.Conditions) *lockstep.Answer {
		answer, err := client.Write(ctx, method, account, body, conditions)
		return must(answer, err)
	}
	inc := func(by int) any { return map[string]any{"$inc": map[string]any{"balance": by}} }
	none := lockstep.Conditions{}

	put := write("PUT", map[string]any{"owner": "Ada", "balance": 10}, none)
	fmt.Printf("put: %s, version %d, cache %s\n", put.Outcome, put.Version, put.Cache)

	patched := write("PATCH", inc(5), none)
	fmt.Printf("patch: version %d, balance %d\n", patched.Version, balanceOf(patched))

	read := must(client.Get(ctx, account))
	fmt.Printf("read: version %d, balance %d, etag %s\n", read.Version, balanceOf(read), read.ETag)

	_, err := client.Write(ctx, "PATCH", account, map[string]any{"owner": "Bea"}, lockstep.Conditions{IfMatch: `"1"`})
	if refused := new(lockstep.Error); errors.As(err, &refused) {
		fmt.Printf("If-Match \"1\": %s, %s, etag %s\n", refused.Code, refused.Outcome, refused.ETag)
	}

	once := lockstep.Conditions{IdempotencyKey: fmt.Sprintf("walk-%d", account.Key)}
	first, second := write("PATCH", inc(-5), once), write("PATCH", inc(-5), once)
	balance := balanceOf(must(client.Get(ctx, account)))
	fmt.Printf("the same write twice: versions %d and %d, balance %d\n", first.Version, second.Version, balance)

	told := must(client.Invalidate(ctx, account))
	fmt.Printf("invalidation: cache %s\n", told.Results[0].Cache)
	fmt.Printf("read: version 3 from %s\n", must(client.Get(ctx, account)).Source)

	err = client.Guard(ctx, 10*time.Second, func(held []lockstep.Keyed) error {
		fmt.Printf("guard: held at version %d\n", held[0].Version)
		return errChanged
	}, account)
	if errors.Is(err, errChanged) {
		fmt.Println("guard: rolled back")
	}

	fmt.Printf("delete: version %d\n", write("DELETE", nil, none).Version)
	if gone := must(client.Get(ctx, account)); gone == nil {
		fmt.Println("read: no such row")
	}
}

func balanceOf(answer *lockstep.Answer) int64 {
	var row struct{ Balance int64 }
	if err := json.Unmarshal(answer.Value, &row); err != nil {
		log.Fatal(err)
	}
	return row.Balance
}

func must(answer *lockstep.Answer, err error) *lockstep.Answer {
	if err != nil {
		log.Fatal(err)
	}
	return answer
}
