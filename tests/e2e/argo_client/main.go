// Asks NerdGraph as the newRelic provider of Argo Rollouts does, with the client that it uses.
//
//	argoclient URL KEY
//
// Reads an NRQL query a line and writes what came of it as a line of JSON.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/newrelic/newrelic-client-go/v2/newrelic"
	"github.com/newrelic/newrelic-client-go/v2/pkg/nrdb"
)

const document = `query ($query: Nrql!, $accountId: Int!, $timeout: Seconds!) {
  actor { account(id: $accountId) { nrql(query: $query, timeout: $timeout) { results } } }
}`

type answer struct {
	Actor struct {
		Account struct {
			NRQL nrdb.NRDBResultContainer
		}
	}
}

type outcome struct {
	Results []nrdb.NRDBResult `json:"results"`
	Error   string            `json:"error"`
}

func main() {
	client, err := newrelic.New(
		newrelic.ConfigPersonalAPIKey(os.Args[2]),
		newrelic.ConfigNerdGraphBaseURL(os.Args[1]+"/graphql"),
		newrelic.ConfigBaseURL(os.Args[1]+"/v2"),
		newrelic.ConfigLogLevel("fatal"),
	)
	if err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		line, err := json.Marshal(ask(client, lines.Text()))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(line))
	}
}

func ask(client *newrelic.NewRelic, nrql string) (told outcome) {
	defer func() {
		if fault := recover(); fault != nil {
			told = outcome{Error: fmt.Sprintf("panic: %v", fault)}
		}
	}()
	var found answer
	variables := map[string]interface{}{"query": nrql, "accountId": 1, "timeout": 5}
	if err := client.NerdGraph.QueryWithResponse(document, variables, &found); err != nil {
		return outcome{Error: err.Error()}
	}
	return outcome{Results: found.Actor.Account.NRQL.Results}
}
