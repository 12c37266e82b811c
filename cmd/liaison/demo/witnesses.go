package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/exchange/witness"
)

// Witnessing are the agencies of the demo that watch its ledger.
var Witnessing = []string{"lv/vp", "ua/npu"}

// WitnessDir is the directory of an agency's witness.
func (w *World) WitnessDir(agency string) string {
	return w.path("witnesses", strings.Replace(agency, "/", "-", 1))
}

// makeWitnesses makes the witnesses of those agencies that take part.
func (w *World) makeWitnesses() error {
	ledger, err := audit.ParseKeys([]byte(w.vkey))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(w.path("witnesses"), 0o755); err != nil {
		return err
	}
	w.witnesses = "witnesses:\n"
	for _, agency := range Witnessing {
		vkey, err := witness.Init(w.WitnessDir(agency), "witness.demo.liaison.example/"+agency)
		if err != nil {
			return err
		}
		if err := witness.Watch(w.WitnessDir(agency), ledger); err != nil {
			return err
		}
		w.witnesses += fmt.Sprintf("  - %s\n", vkey)
	}
	return nil
}

// writeWitnesses tells a profile whose cosignatures count.
func (w *World) writeWitnesses(profile string) error {
	return certs.WritePublic(filepath.Join(profile, client.FileWitnesses), []byte(w.witnesses))
}

// StartWitnesses runs the witnesses of the world on this machine, each on a
// listener of its own, until stop is called, and returns them as the exchange
// is to be configured with them: one of them is enough. around, which may be
// nil, is put around each one's handler. A world of before there were
// witnesses has none: nil.
func (w *World) StartWitnesses(ctx context.Context, log *slog.Logger, around func(agency string, h http.Handler) http.Handler) (_ *node.Witnesses, stop func() error, err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	var closers []func() error
	stop = func() error {
		cancel()
		running.Wait()
		var errs []error
		for _, c := range closers {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	all := &node.Witnesses{Quorum: 1}
	for _, agency := range Witnessing {
		one, err := witness.Open(witness.Config{Dir: w.WitnessDir(agency), Clock: w.clock, Log: log.With(slog.String("witness", agency))})
		if errors.Is(err, fs.ErrNotExist) {
			return nil, stop, nil
		}
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		closers = append(closers, one.Close)
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, errors.Join(err, stop())
		}
		h := one.Handler()
		if around != nil {
			h = around(agency, h)
		}
		running.Go(func() {
			if err := witness.Serve(ctx, l, nil, h, log); err != nil {
				log.ErrorContext(ctx, "witness stopped", slog.String("witness", agency), slog.Any("error", err))
			}
		})
		all.Members = append(all.Members, node.WitnessMember{VKey: one.VerifierKey(), URL: "http://" + l.Addr().String()})
	}
	return all, stop, nil
}
