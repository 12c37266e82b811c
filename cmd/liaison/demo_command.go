package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// notLaw stands wherever the demo's policies decide.
const notLaw = "The policies are samples, written by this project: not the law of anyone."

func newDemo(env *environment) *cobra.Command {
	var o demo.Options
	var redis string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole exchange with sample countries and tell a story on it",
		Long: `demo makes a throw-away exchange with five sample countries, starts it on this
machine only, and tells step by step what happens to a few packages: delivered
with obligations, acknowledged and opened, denied by policy, tampered with,
repeated, and at last verified from the log. Then it serves until Ctrl-C, so
that you can try more in a second terminal.

` + notLaw + `

With --dir everything is kept: profiles under DIR/profiles, sample metadata
under DIR/meta, and DIR/demo.json, which is written last: who sees that file
may start (after --once it tells what was, not what runs). A directory of an
earlier demo is taken up again.

With --redis the limits are counted in that Redis (6 or later, or Valkey), as
several nodes of an exchange do, and by the exchange itself while it cannot be
used: the admin listener's /readyz?verbose then says so. The URL has the form
redis://[user:password@]host:port[/database], or unix:///path of its socket; to
another machine it is rediss://, for TLS. It is not kept in DIR.`,
		Example: `  liaison demo
  liaison demo --once --dir demo-data
  liaison demo --once --json
  liaison demo --redis redis://127.0.0.1:6379`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t := teller{w: env.Stdout, json: env.json, color: env.color(env.Stdout), once: o.Once, kept: o.Dir != ""}
			o.Begin, o.Tell, o.End = t.begin, t.tell, t.end
			if c.Flags().Changed("redis") {
				var err error
				if o.Redis, err = node.ParseRedis(redis); err != nil {
					return usageError(fmt.Errorf("--redis: %w", err), "for one on this machine: --redis redis://127.0.0.1:6379")
				}
			}
			tuneMemory()
			return demo.Run(c.Context(), o)
		},
	}
	c.Flags().StringVar(&o.Dir, "dir", "", "keep everything in this directory (default: a temporary one, removed at the end)")
	c.Flags().BoolVar(&o.Once, "once", false, "end after the story; the exit code says whether all went as told")
	c.Flags().StringVar(&redis, "redis", "", "count the limits in the Redis at this URL (default: in the exchange itself)")
	_ = c.MarkFlagDirname("dir")
	return c
}

// teller prints the story.
type teller struct {
	w                       io.Writer
	json, color, once, kept bool
}

func (t teller) begin(dir string, r demo.Ready) {
	if t.json {
		line := map[string]any{"server": r.Server, "admin": r.Admin, "dir": dir, "note": notLaw}
		if r.Redis != "" {
			line["redis"] = r.Redis
		}
		_ = writeJSON(t.w, line)
		return
	}
	fmt.Fprintf(t.w, "An exchange runs at %s, for this machine only.\n%s\n", r.Server, notLaw)
	fmt.Fprintf(t.w, "Five agencies take part: %s.\n", strings.Join(demo.Agencies, ", "))
	fmt.Fprintf(t.w, "Two of them, %s, watch the exchange's ledger with witnesses of their own.\n", strings.Join(demo.Witnessing, " and "))
	if r.Supervisor != "" {
		fmt.Fprintf(t.w, "Estonia's supervisory authority, %s, sends nothing and may read the log of ee/pbgb.\n", r.Supervisor)
	}
	if r.Redis != "" {
		fmt.Fprintf(t.w, "Its limits are counted in the Redis at %s, and by itself while that cannot be used.\n", printable(r.Redis))
	}
}

func (t teller) tell(s demo.Step) {
	if t.json {
		_ = writeJSON(t.w, s)
		return
	}
	title := fmt.Sprintf("%d. %s", s.Step, s.Title)
	if t.color {
		title = "\x1b[1m" + title + "\x1b[0m"
	}
	fmt.Fprintf(t.w, "\n%s\n", title)
	for _, line := range s.Lines {
		fmt.Fprintf(t.w, "   %s\n", printable(line))
	}
	if !s.OK {
		fmt.Fprintf(t.w, "   NOT as told: %s\n", printable(s.Error))
	}
}

func (t teller) end(dir string, r demo.Ready) {
	if t.json {
		_ = writeJSON(t.w, map[string]any{"done": true, "dir": dir, "packages": r.Packages})
		return
	}
	fmt.Fprintln(t.w, "\nAll went as told.")
	if t.once && !t.kept {
		fmt.Fprintln(t.w, "Try it yourself: run the demo without --once and follow what it prints at the end.")
		return
	}
	t.next(dir, r)
}

// next prints what to try, as commands to copy.
func (t teller) next(dir string, r demo.Ready) {
	if t.once {
		again := quoted(dir)
		if r.Redis != "" {
			again += " --redis URL"
		}
		fmt.Fprintf(t.w, "\nEverything is in %s. Start it again with\n\n  %s demo --dir %s\n\nand then try in a second terminal:\n", dir, self(), again)
	} else {
		fmt.Fprintln(t.w, "\nThe exchange serves until Ctrl-C. Try in a second terminal:")
	}
	profile := func(name string) string { return "--profile " + quoted(filepath.Join(dir, "profiles", name)) }
	tries := [][2]string{
		{"send a package from Estonia to Latvia", fmt.Sprintf("send %s --to lv/vp --meta %s --reason \"Findings of the joint investigation\" --receipt receipt.txt \"Hello Riga\"",
			profile("ee-pbgb-unit"), quoted(filepath.Join(dir, "meta", "ee-lv.json")))},
		{"see it arrive in Latvia", "inbox " + profile("lv-vp-unit")},
		{"open it there (ID from the inbox)", "open ID --yes " + profile("lv-vp-unit") + " --reason \"Work on the joint investigation\""},
		{"verify the receipt offline", "receipt verify receipt.txt --log-key " + quoted(filepath.Join(dir, "ledger", "log.vkey"))},
		{"have the other agencies' witnesses vouch for it", "receipt upgrade receipt.txt " + profile("ee-pbgb-unit")},
		{"verify Estonia's log as its data-protection officer", "audit verify " + profile("ee-pbgb-dpo") + " --reason \"Monthly check of the log\""},
	}
	if r.Supervisor != "" {
		tries = append(tries, [2]string{"look into it as Estonia's supervisory authority, which the registry lets read it",
			"audit search action:package.send --owner ee/pbgb " + profile("ee-dpi-supervisor") + " --reason \"Inspection 2026-7 of the police\""})
	}
	for _, line := range tries {
		fmt.Fprintf(t.w, "\n  # %s\n  %s %s\n", line[0], self(), line[1])
	}
	if !t.once {
		fmt.Fprintf(t.w, "\nHealth and metrics: %s/readyz?verbose, %s/metrics\n", r.Admin, r.Admin)
	}
}

// self is how this program was called, as it can be called again.
func self() string {
	if exe, err := os.Executable(); err == nil && strings.Contains(exe, "go-build") {
		return "go run ./cmd/liaison"
	}
	return quoted(os.Args[0])
}

// quoted is a word as a shell reads it.
func quoted(word string) string {
	if !strings.ContainsAny(word, " \t'\"\\$&;()<>|*?[]#~`") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
