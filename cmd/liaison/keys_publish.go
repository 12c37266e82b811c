package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// changedKey is what publish and retire print with --json.
type changedKey struct {
	Kid         string `json:"kid"`
	Use         string `json:"use"`
	From        string `json:"from"`
	Until       string `json:"until,omitempty"`
	Compromised string `json:"compromised,omitempty"`
	Repeat      bool   `json:"repeat,omitempty"`
	Receipt     string `json:"receipt"`
}

func changedKeyOf(c *client.KeyChange) changedKey {
	return changedKey{c.Receipt.Entry.Details["key"], c.Receipt.Entry.Details["use"], c.From, c.Until, c.Compromised, c.Repeat, c.Receipt.Text}
}

func newKeysPublish(env *environment) *cobra.Command {
	var profile profileFlags
	var files []string
	var use string
	c := &cobra.Command{
		Use:   "publish [KEYS.jwks]",
		Short: "Put your agency's public keys into the exchange's directory",
		Long: `publish puts public keys into the directory, each with the certificate that your
authority issued for it. From then on packages may be signed with them and sealed
for them. Without a file it takes the keys of the profile, with the certificates
sign.crt and decrypt.crt or those that --cert names. Nothing private leaves.

To publish the same key again changes nothing. To replace a key, see rotate.`,
		Example: `  liaison keys publish --profile ee-pbgb-unit
  liaison keys publish --use enc --cert decrypt.crt
  liaison keys publish keys.jwks`,
		Args: cobra.MaximumNArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			set, err := keysToPublish(env, &profile, args, files)
			if err != nil {
				return err
			}
			if use != "" {
				set = slices.DeleteFunc(set, func(k envelope.PublishedKey) bool { return string(k.Use()) != use })
			}
			if len(set) == 0 {
				return usageError(errors.New("there is no key to publish"), "give a file of keys, or the profile of a unit that has some")
			}
			return publishKeys(ctx, env, c, set)
		}),
	}
	profile.add(c)
	c.Flags().StringArrayVar(&files, "cert", nil, "PEM file with the certificate of a key, and its intermediates; repeat for more")
	c.Flags().StringVar(&use, "use", "", "only keys of this use: sig, enc, approve or policy")
	return c
}

// keysToPublish are those of the file, or of the profile.
func keysToPublish(env *environment, profile *profileFlags, args, files []string) (envelope.KeySet, error) {
	if len(args) == 0 {
		dir, err := profile.path(env)
		if err != nil {
			return nil, err
		}
		return exportKeys(dir, files)
	}
	raw, err := os.ReadFile(args[0])
	if err != nil {
		return nil, err
	}
	set, err := envelope.ParseKeySet(raw)
	if err != nil {
		return nil, usageError(fmt.Errorf("%s: %w", args[0], err), "give a JWK Set of public keys with x5c, as liaison keys export prints it")
	}
	return set, nil
}

// publishKeys publishes keys one by one and tells each.
func publishKeys(ctx context.Context, env *environment, c *client.Client, set envelope.KeySet) error {
	for _, k := range set {
		change, err := c.PublishKey(ctx, k)
		if err != nil {
			return fmt.Errorf("key %s (%s): %w", k.Kid(), k.Use(), err)
		}
		word := "published"
		if change.Repeat {
			word = "was published before"
		}
		if err := env.output().value(changedKeyOf(change), fmt.Sprintf("%s: %s key %s, from %s", word, k.Use(), k.Kid(), change.From)); err != nil {
			return err
		}
	}
	return nil
}

func newKeysRetire(env *environment) *cobra.Command {
	var profile profileFlags
	var compromised string
	var yes bool
	c := &cobra.Command{
		Use:   "retire KEY [--compromised TIME]",
		Short: "End a key of your agency: from now on it is not used any more",
		Long: `retire ends a key. New packages that are signed with it or sealed for it are
refused; what was accepted before stays valid, and your decryption keys stay in
the profile so that it can be read.

If strangers have or may have the private key, say since when with --compromised:
what was signed from then on is not believed by anybody, even if the exchange had
accepted it. That can be corrected to an earlier time, and never taken back. Have
your authority revoke the certificate too: then those who do not ask the exchange
know it as well.`,
		Example: `  liaison keys retire kBfPzq4n3dI0yJbQq0mBf2cT9sX7wZ1aVhYg5uLr8eM
  liaison keys retire kBfPzq4n3dI0yJbQq0mBf2cT9sX7wZ1aVhYg5uLr8eM --compromised 2026-11-20T16:00:00Z`,
		Args: cobra.ExactArgs(1),
		RunE: withClient(env, &profile, func(ctx context.Context, c *client.Client, args []string) error {
			end, err := keyEnd(env, compromised)
			if err != nil {
				return err
			}
			if compromised == "" && !yes {
				if err := notInUse(env, &profile, args[0]); err != nil {
					return err
				}
			}
			change, err := c.RetireKey(ctx, args[0], end)
			if err != nil {
				return err
			}
			text := "retired: key " + args[0] + ", until " + change.Until
			if change.Compromised != "" {
				text += ", not trusted from " + change.Compromised + " on"
			}
			return env.output().value(changedKeyOf(change), text)
		}),
	}
	profile.add(c)
	c.Flags().StringVar(&compromised, "compromised", "", `since when strangers may have the private key: a time such as 2026-11-20T16:00:00Z, or "now"`)
	c.Flags().BoolVar(&yes, "yes", false, "retire even the key that this profile signs with")
	return c
}

// keyEnd reads --compromised.
func keyEnd(env *environment, compromised string) (end client.KeyEnd, err error) {
	switch compromised {
	case "":
	case "now":
		end.Compromised = env.Now()
	default:
		if end.Compromised, err = time.Parse(time.RFC3339, compromised); err != nil {
			return end, usageError(fmt.Errorf("--compromised %q is no time", compromised), "give a time such as 2026-11-20T16:00:00Z, or now")
		}
	}
	return end, nil
}

// notInUse keeps a tired hand from ending the key that the next package needs.
func notInUse(env *environment, profile *profileFlags, kid string) error {
	dir, err := profile.path(env)
	if err != nil {
		return err
	}
	files := rotatedFiles[envelope.UseSign]
	own, err := files.read(dir, files.private)
	if err != nil || len(own) == 0 || own[0].Kid() != kid {
		return err
	}
	return usageError(errors.New("this profile signs with this key: without another one nothing can be sent"),
		strings.Join([]string{"replace it: liaison keys rotate --use sig", "or retire it all the same with --yes"}, "; "))
}
