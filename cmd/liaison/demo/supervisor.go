package demo

import (
	"os"
	"strings"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/node"
)

// Supervisor is Estonia's supervisory authority: it sends and receives
// nothing, and reads the logs that the registry grants it.
const Supervisor = "ee/dpi"

// supervised is whose log it may read.
const supervised = "ee/pbgb"

// admitSupervisor admits the supervisory authority, with a profile of its
// supervisor and without keys.
func (w *World) admitSupervisor() error {
	if w.Supervisor == "" {
		return nil
	}
	err := node.WriteAdmission(w.path("registry"), node.Admission{ID: w.Supervisor, Roles: []string{certs.RoleSupervisor}, Supervises: []string{supervised}}, []byte(`{"keys":[]}`))
	if err != nil {
		return err
	}
	return w.makeIdentity(w.Supervisor, certs.RoleSupervisor)
}

// hasSupervisor tells whether the world on disk has the supervisory authority.
func (w *World) hasSupervisor() bool {
	_, err := os.Stat(w.path("registry", strings.Replace(Supervisor, "/", "-", 1)))
	return err == nil
}
