package main

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// environment is all that a command knows of the world around it. Tests hand
// in their own and run commands within the process.
type environment struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Getenv reads an environment variable, "" when it is not set.
	Getenv func(name string) string
	Now    func() time.Time
	// IsTerminal tells whether Stdin, Stdout or Stderr, given to it, is a
	// terminal.
	IsTerminal func(stream any) bool

	// json is the flag --json.
	json bool
}

// systemEnvironment returns the environment of the process.
func systemEnvironment() *environment {
	return &environment{
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
		Getenv:     os.Getenv,
		Now:        time.Now,
		IsTerminal: isTerminal,
	}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// color reports whether a stream may be coloured: a terminal that is not dumb,
// and no NO_COLOR (no-color.org: any value but the empty one).
func (e *environment) color(stream any) bool {
	return e.Getenv("NO_COLOR") == "" && e.Getenv("TERM") != "dumb" && e.IsTerminal(stream)
}
