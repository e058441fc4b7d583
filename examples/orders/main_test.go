package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// asProgram makes the test's own binary the program.
const asProgram = "ORDERS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(storetest.Main(m))
}

func TestParse(t *testing.T) {
	noEnv := func(string) string { return "" }
	o, err := parse(nil, noEnv, io.Discard)
	if err != nil || o.addr != "127.0.0.1:8090" || o.dsn != "" || o.data != "" || o.seed != 1 || len(o.secret) != 0 || o.adminToken != "" {
		t.Errorf("without flags got %+v, %v", o, err)
	}
	o, err = parse([]string{"-addr", ":0", "-dsn", "postgres://x/y", "-seed", "7", "-erp-latency", "0", "-erp-failures", "0", "-token-ttl", "70s"},
		func(name string) string { return name + " 0123456789abcdef0123456789abcdef" }, io.Discard)
	if err != nil || o.dsn != "postgres://x/y" || o.seed != 7 || o.latency != 0 || o.failures != 0 || !bytes.HasPrefix(o.secret, []byte("ORDERS_SECRET ")) || !strings.HasPrefix(o.adminToken, "ORDERS_ADMIN_TOKEN ") {
		t.Errorf("got %+v, %v", o, err)
	}
	for args, word := range map[string]string{
		"x":                         `"x"`,
		"-dsn orders.db":            "-dsn",
		"-dsn postgres://x -data y": "-data",
		"-erp-latency -1s":          "-erp-latency",
		"-erp-latency 2m":           "-erp-latency",
		"-erp-failures 1.1":         "-erp-failures",
		"-erp-failures NaN":         "-erp-failures",
		"-token-ttl 1m":             "-token-ttl",
		"-nonsense":                 "nonsense",
	} {
		if _, err := parse(strings.Fields(args), noEnv, io.Discard); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got error %v, want %s in it", args, err, word)
		}
	}
	if _, err := parse(nil, func(string) string { return "short" }, io.Discard); err == nil || !strings.Contains(err.Error(), "ORDERS_SECRET: 5 bytes") {
		t.Errorf("a short secret: %v", err)
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if _, err := parse([]string{"-h"}, os.Getenv, &out); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("got %v", err)
	}
	for _, word := range []string{"-addr", "-dsn", "-data", "-seed", "-erp-latency", "-erp-failures", "-token-ttl",
		"ORDERS_SECRET", "ORDERS_ADMIN_TOKEN", "#fail", "#flaky", "#slow", "#hang", "127.0.0.1:8090", "SIGTERM"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("-h does not say %s:\n%s", word, out.String())
		}
	}
}
