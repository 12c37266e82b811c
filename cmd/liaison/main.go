// Liaison is a secure exchange server for police intelligence, and every tool
// around it: one binary for units, data-protection officers, policy authors
// and operators.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(runSystem())
}

// runSystem runs the process's own command line. The first interrupt cancels
// the context, so that a command can finish in order; a second one ends the
// process.
func runSystem() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, systemEnvironment(), os.Args[1:])
}
