// Command usercast works beside applications that embed a usercast hub: see
// README.md, or usercast --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands is the command line. Each command is a struct of its flags in a file of
// its own, with a method Run(*environment) error, and a Help() string with examples.
type commands struct {
	Version kong.VersionFlag `help:"Print the version and end."`

	Types    typesCommand    `cmd:"" help:"Write TypeScript types of the events that Go packages define."`
	Schema   schemaCommand   `cmd:"" help:"Write JSON Schema of their payloads."`
	Asyncapi asyncapiCommand `cmd:"" help:"Write an AsyncAPI document of the whole wire."`

	Vet vetCommand `cmd:"" help:"Look for mistakes in how a program sends its events."`

	Tail  tailCommand  `cmd:"" help:"Print what the devices of a user hear."`
	Send  sendCommand  `cmd:"" help:"Send an event."`
	Token tokenCommand `cmd:"" help:"Mint a token for development."`
}

// An environment is what a command sees of the process. Tests bring their own.
type environment struct {
	ctx    context.Context // ends with the first SIGINT or SIGTERM
	stdin  io.Reader
	stdout io.Writer // results only, so that they can be redirected
	stderr io.Writer // everything else
}

// An exitCode is an error that has been told already: run ends with it and adds nothing.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	env := &environment{ctx: ctx, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	code := run(env, os.Args[1:])
	stop()
	os.Exit(code)
}

// run parses the arguments, runs their command and returns the exit status: 0, 1
// if the command failed, 2 if the arguments make no sense.
func run(env *environment, args []string) (code int) {
	// Kong ends the process after --help and --version: here it must come back.
	type ended int
	defer func() {
		if p := recover(); p != nil {
			e, ok := p.(ended)
			if !ok {
				panic(p)
			}
			code = int(e)
		}
	}()
	parser, err := kong.New(new(commands),
		kong.Name("usercast"),
		kong.Description("Works beside applications that embed a usercast hub."),
		kong.Vars{"version": version()},
		kong.Writers(env.stdout, env.stderr),
		kong.Exit(func(status int) { panic(ended(status)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Bind(env),
	)
	if err != nil {
		fmt.Fprintln(env.stderr, "usercast:", err)
		return 1
	}
	selected, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(env.stderr, "usercast: %v\nTry: usercast --help\n", err)
		return 2
	}
	if err := selected.Run(); err != nil {
		var status exitCode
		if errors.As(err, &status) {
			return int(status)
		}
		fmt.Fprintln(env.stderr, "usercast:", err)
		return 1
	}
	return 0
}

// version is the module's, as the go command has stamped it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
