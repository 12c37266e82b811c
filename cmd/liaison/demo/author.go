package demo

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/node"
	"github.com/liaison-exchange/liaison/policy"
)

// Author is an agency whose jurisdiction declares it and has no rules yet, so
// that everything to it and from it is refused: its policy author is to write
// them. It is no part of the story.
const Author = "fi/krp"

// authorDirectory is what the author's jurisdiction declares.
//
//go:embed fi
var authorDirectory embed.FS

// authorRoles are the author's profiles.
var authorRoles = []string{certs.RoleUnit, certs.RoleDPO, certs.RolePolicy}

// admitAuthor admits the author's agency, and lays down what its jurisdiction
// declares, signed with its policy key.
func (w *World) admitAuthor() error {
	if w.Author == "" {
		return nil
	}
	key, err := envelope.Generate(envelope.UsePolicy, envelope.ES256)
	if err != nil {
		return err
	}
	if err := w.admitAgency(w.Author, authorRoles, key); err != nil {
		return err
	}
	private, err := key.MarshalPrivate()
	if err != nil {
		return err
	}
	if err := certs.WriteSecret(filepath.Join(w.Profile(w.Author, certs.RolePolicy), client.FilePolicy), private); err != nil {
		return err
	}
	directory, err := fs.Sub(authorDirectory, "fi")
	if err != nil {
		return err
	}
	b, err := policy.ReadDir(directory)
	if err != nil {
		return err
	}
	b.Seq, b.Status = 1, policy.Sample
	raw, err := b.Pack(key.Signer())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(w.path("policies"), 0o755); err != nil {
		return err
	}
	return certs.WritePublic(w.path("policies", b.Jurisdiction+node.PolicySuffix), raw)
}

// hasAuthor tells whether the world on disk has the author's agency.
func (w *World) hasAuthor() bool {
	_, err := os.Stat(w.path("registry", strings.Replace(Author, "/", "-", 1)))
	return err == nil
}
