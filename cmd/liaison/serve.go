package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/node"
)

func newServe(env *environment) *cobra.Command {
	var config string
	c := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run an exchange",
		Long: `serve runs an exchange until it gets SIGTERM or Ctrl-C; then it stops accepting
and lets requests in flight finish. SIGHUP reloads certificates, anchors,
revocation lists and the registry without a failed request. Logs are JSON lines
on standard error; they hold no payload and no personal data. GOGC and GOMEMLIMIT
are heeded; without them the memory limit of the control group is.

liaison demo --dir DIR leaves a configuration to look at in DIR/exchange.yaml.`,
		Example: `  liaison serve --config /etc/liaison/exchange.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := node.LoadConfig(config)
			if err != nil {
				return usageError(err, "correct the configuration; every key is explained in the documentation of the package exchange/node")
			}
			cfg.Log = slog.New(slog.NewJSONHandler(env.Stderr, nil))
			return serve(c.Context(), cfg)
		},
	}
	c.Flags().StringVar(&config, "config", "", "configuration file, YAML")
	_ = c.MarkFlagRequired("config")
	_ = c.MarkFlagFilename("config", "yaml", "yml")
	return c
}

// serve runs a node until ctx ends or the node stops by itself.
func serve(ctx context.Context, cfg node.Config) error {
	tuneMemory()
	n, err := node.Start(ctx, cfg)
	if err != nil {
		return err
	}
	cfg.Log.InfoContext(ctx, "serving", slog.String("address", n.Addr()), slog.String("admin", n.AdminAddr()), slog.String("exchange", n.Origin()))
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	for {
		select {
		case <-reload:
			if err := n.Reload(ctx); err != nil {
				cfg.Log.ErrorContext(ctx, "not all could be reloaded", slog.Any("error", err))
			} else {
				cfg.Log.InfoContext(ctx, "reloaded")
			}
		case <-n.Done():
			return fmt.Errorf("the exchange stopped: %w", n.Err())
		case <-ctx.Done():
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
			defer cancel()
			return n.Shutdown(drain)
		}
	}
}
