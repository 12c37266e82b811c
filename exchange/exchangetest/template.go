package exchangetest

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// file is a file or directory of a world.
type file struct {
	path string
	mode fs.FileMode
	data []byte
}

// template is a world whose exchange ran once, so that all agencies and keys
// are registered. It is made once for a process: keys, certificates and the
// fsyncs of the registration take longer than most tests.
var template = sync.OnceValues(func() (files []file, err error) {
	dir, err := os.MkdirTemp("", "exchangetest")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	world, err := demo.Build(demo.Config{Dir: dir, Agencies: demo.Agencies}) // without the author: his policy would be built again by each test
	if err != nil {
		return nil, err
	}
	cfg, err := world.NodeConfig()
	if err != nil {
		return nil, err
	}
	if cfg.Policies, err = Policies(); err != nil {
		return nil, err
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	n, err := node.Start(context.Background(), cfg)
	if err != nil {
		return nil, err
	}
	if err := n.Shutdown(context.Background()); err != nil {
		return nil, err
	}
	return readTree(dir)
})

// readTree reads a directory, parents before what is in them.
func readTree(dir string) (files []file, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f := file{mode: info.Mode()}
		if f.path, err = filepath.Rel(dir, path); err == nil && !d.IsDir() {
			f.data, err = os.ReadFile(path)
		}
		files = append(files, f)
		return err
	})
	return files, err
}

// writeTree writes what readTree read.
func writeTree(dir string, files []file) error {
	for _, f := range files {
		path := filepath.Join(dir, f.path)
		var err error
		if f.mode.IsDir() {
			err = os.Mkdir(path, f.mode.Perm())
		} else {
			err = os.WriteFile(path, f.data, f.mode.Perm())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
