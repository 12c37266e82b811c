package bounds

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// endless is a body that never ends.
const endless = 1 << 40

// body is one bad request: what it says, and what then comes, n bytes of it.
type body struct {
	name   string
	header string // after the request line and Host
	path   string
	begin  string
	fill   string
	n      int64
	end    string
	want   []int // statuses; the connection may be closed before an answer is read
}

// TestBodies: bodies that are too large, never end, lie about their length,
// are packed or are bombs are refused for little memory, some of each at once.
func TestBodies(t *testing.T) {
	s := besiege(t, nil, nil)
	at := torture.Size(4, 128)
	cases := s.bodies()
	s.Attr("cases", strconv.Itoa(len(cases)))
	all := s.in(t)
	for _, b := range cases {
		t.Run(b.name, func(t *testing.T) {
			s := s.in(t)
			sent := make(chan int, at)
			for i := range at {
				go func() { sent <- s.send(i, b) }()
			}
			for range at {
				if got := <-sent; got != 0 && !contains(b.want, got) {
					t.Errorf("status %d, want one of %v", got, b.want)
				}
			}
			s.holds(at*4, int64(most().Large.Each)*24*mib)
		})
	}
	all.recovers()
	s.account()
}

func contains(all []int, one int) bool {
	return bytes.Contains([]byte(fmt.Sprint(all)), []byte(strconv.Itoa(one)))
}

// send sends a body, as much of it as the server takes, and returns the
// status of its answer; 0 if the server closed the connection instead.
func (s *siege) send(i int, b body) int {
	c, err := s.speak(i, "http/1.1")
	if err != nil {
		return 0
	}
	defer hangUp([]net.Conn{c})
	go func() {
		_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n%s", b.path, b.header, b.begin)
		for fill := []byte(strings.Repeat(b.fill, 1+(64<<10)/(1+len(b.fill)))); b.n > 0 && len(fill) > 0; b.n -= int64(len(fill)) {
			if _, err := c.Write(fill[:min(b.n, int64(len(fill)))]); err != nil {
				return
			}
		}
		_, _ = io.WriteString(c, b.end)
	}()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.Errorf("neither an answer nor an end")
		}
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func asJSON(rest string) string { return "Content-Type: " + api.MediaJSON + "\r\n" + rest }
func asForm(rest string) string { return "Content-Type: " + api.MediaForm + "; boundary=b\r\n" + rest }
func sized(n int64) string      { return "Content-Length: " + strconv.FormatInt(n, 10) }

const chunked = "Transfer-Encoding: chunked"

// chunk is a whole chunk of a chunked body.
func chunk(of string, n int) string {
	return fmt.Sprintf("%x\r\n%s\r\n", n*len(of), strings.Repeat(of, n))
}

// part is one part of a form.
func part(name, media, rest, body string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\nContent-Type: " + media + rest + "\r\n\r\n" + body + "\r\n"
}

// bodies are all that is tried.
func (s *siege) bodies() []body {
	refused := []int{400, 413, 415, 421, 422}
	sealed := s.sealed()
	manifest := part(api.PartManifest, api.MediaJOSE, "", string(sealed.Manifest))
	before := manifest + part(api.PartStatement, api.MediaJOSE, "", string(sealed.Statement))
	open := func(name, media string) string {
		return strings.TrimSuffix(part(name, media, "", ""), "\r\n")
	}
	over := func(name, before, open string, n int64) body {
		return body{name: name, path: api.RoutePackages, header: asForm(sized(int64(len(before)+len(open)) + n + 9)), begin: before + open, fill: "x", n: n, end: "\r\n--b--\r\n", want: refused}
	}
	all := []body{
		over("manifest over its limit", "", open(api.PartManifest, api.MediaJOSE), 48<<10+1),
		over("statement over its limit", manifest, open(api.PartStatement, api.MediaJOSE), 48<<10+1),
		over("content over its limit", before, open(api.PartContent, api.MediaJOSEJSON), 8*mib+1),
		over("attachment over its limit", before+part(api.PartContent, api.MediaJOSEJSON, "", string(sealed.Content)), open(api.PartAttachment, api.MediaBinary), 2*mib+1),
		{name: "10 GiB claimed", path: api.RoutePackages, header: asForm(sized(10 << 30)), fill: "x", n: endless, want: []int{413}},
		{name: "JSON of 10 GiB claimed", path: api.RouteDecisions, header: asJSON(sized(10 << 30)), fill: " ", n: endless, want: []int{413}},
		{name: "JSON over its limit", path: api.RouteDecisions, header: asJSON(sized(64<<10 + 1)), fill: " ", n: 64<<10 + 1, want: []int{413}},
		{name: "endless chunks of JSON", path: api.RouteDecisions, header: asJSON(chunked), fill: chunk(" ", 1024), n: endless, want: []int{413}},
		{name: "endless chunks of one byte", path: api.RouteDecisions, header: asJSON(chunked), fill: chunk(" ", 1), n: endless, want: refused},
		{name: "endless chunk extension", path: api.RouteDecisions, header: asJSON(chunked), begin: "1;", fill: "x", n: endless, want: refused},
		{name: "endless chunk extensions", path: api.RouteDecisions, header: asJSON(chunked), fill: "1;" + strings.Repeat("x", 1000) + "\r\n \r\n", n: endless, want: refused},
		{name: "endless trailer", path: api.RouteDecisions, header: asJSON(chunked), begin: "2\r\n{}\r\n0\r\n", fill: "X: y\r\n", n: endless, want: refused},
		{name: "endless preamble", path: api.RoutePackages, header: asForm(chunked), fill: chunk("x", 4096), n: endless, want: refused},
		{name: "endless part header", path: api.RoutePackages, header: asForm(chunked), begin: chunk("--b\r\n", 1), fill: chunk("X: y\r\n", 512), n: endless, want: refused},
		{name: "endless attachment", path: api.RoutePackages, header: asForm(chunked), begin: chunk(before+part(api.PartContent, api.MediaJOSEJSON, "", string(sealed.Content))+open(api.PartAttachment, api.MediaBinary), 1),
			fill: chunk("x", 4096), n: endless, want: refused},
		{name: "endless attachments", path: api.RoutePackages, header: asForm(chunked), begin: chunk(before+part(api.PartContent, api.MediaJOSEJSON, "", string(sealed.Content)), 1),
			fill: chunk(part(api.PartAttachment, api.MediaBinary, "", "x"), 10), n: endless, want: refused},
		{name: "10,000 parts", path: api.RoutePackages, header: asForm(chunked), fill: chunk(part("x", api.MediaBinary, "", ""), 100), n: 10000 * 70, end: "0\r\n\r\n", want: refused},
		{name: "length too short", path: api.RouteDecisions, header: asJSON(sized(3)), begin: strings.Repeat("x", 5000), want: refused},
		{name: "length too long", path: api.RouteDecisions, header: asJSON(sized(5000)), begin: "{}", want: refused},
		{name: "10,000 headers", path: api.RouteDecisions, header: asJSON(strings.Repeat("X: y\r\n", 10000) + sized(0)), want: []int{431}},
		{name: "a header of 1 MB", path: api.RouteDecisions, header: asJSON("X: " + strings.Repeat("y", mib)), want: []int{431}},
		{name: "a cookie of 1 MB", path: api.RouteDecisions, header: asJSON("Cookie: " + strings.Repeat("a=b; ", mib/5)), want: []int{431}},
		{name: "a query of 1 MB", path: api.RouteDecisions + "?" + strings.Repeat("a=b&", mib/4), header: asJSON(sized(2)), begin: "{}", want: []int{431}},
		{name: "a query of many names", path: api.RouteDecisions + "?" + strings.Repeat("a=b&", 3000), header: asJSON(sized(2)), begin: "{}", want: refused},
	}
	for _, encoding := range []string{"gzip", "br", "zstd", "deflate", "compress", "identity", "gzip, gzip"} {
		all = append(all, body{name: "packed with " + encoding, path: api.RoutePackages, header: asForm("Content-Encoding: " + encoding + "\r\n" + sized(mib)), fill: "\x1f\x8b\x08\x00", n: mib, want: []int{415}},
			body{name: "part packed with " + encoding, path: api.RoutePackages, header: asForm(chunked),
				begin: chunk(part(api.PartManifest, api.MediaJOSE, "\r\nContent-Encoding: "+encoding, "\x1f\x8b\x08\x00"), 1), end: "0\r\n\r\n", want: refused},
			body{name: "part transferred as " + encoding, path: api.RoutePackages, header: asForm(chunked),
				begin: chunk(part(api.PartManifest, api.MediaJOSE, "\r\nContent-Transfer-Encoding: "+encoding, "\x1f\x8b\x08\x00"), 1), end: "0\r\n\r\n", want: refused})
	}
	return append(all, s.bombs(before)...)
}

// bombs are what a reader of JSON may choke on, in each place that has one.
func (s *siege) bombs(before string) (all []body) {
	members := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"%d":1,`, i)
		}
		return "{" + b.String() + `"z":1}`
	}
	encode := base64.RawURLEncoding.EncodeToString
	for name, bomb := range map[string]string{
		"arrays in arrays": strings.Repeat("[", 9000), "closed arrays": strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"objects in objects": strings.Repeat(`{"a":`, 9000), "many members": members(4000), "the same member": "{" + strings.Repeat(`"a":1,`, 5000) + `"a":1}`,
		"a long number": `{"a":` + strings.Repeat("9", 60000) + "}", "a large exponent": `{"a":1e999999999}`, "a long name": `{"` + strings.Repeat("a", 60000) + `":1}`,
		"escapes": `{"a":"` + strings.Repeat(`\u0041`, 9000) + `"}`, "10,000 recipients": `{"aud":[` + strings.Repeat(`"ee/a",`, 8000) + `"ee/a"]}`,
		"10,000 attachments": `{"attachments":[` + strings.Repeat(`{},`, 10000) + `{}]}`,
	} {
		jws := encode([]byte(`{"alg":"ES256","kid":"`+strings.Repeat("k", 43)+`","typ":"liaison-manifest+jwt"}`)) + "." + encode([]byte(bomb)) + "." + strings.Repeat("A", 86)
		head := encode([]byte(bomb)) + ".e30." + strings.Repeat("A", 86)
		form := func(parts string) body {
			return body{path: api.RoutePackages, header: asForm(sized(int64(len(parts) + 7))), begin: parts + "--b--\r\n"}
		}
		plain := func(path, media, body_ string) body {
			return body{path: path, header: "Content-Type: " + media + "\r\n" + sized(int64(len(body_))), begin: body_}
		}
		nobody := api.PackagePath("0199f3a2-7c1e-7b3a-9d52-3f1c2a4b5c6d", "acknowledgement")
		for where, b := range map[string]body{
			"a decision": plain(api.RouteDecisions, api.MediaJSON, bomb), "a manifest of a decision": plain(api.RouteDecisions, api.MediaJSON, `{"manifest":`+bomb+`,"statement":{}}`),
			"a consultation": plain(api.RouteConsultations, api.MediaJSON, bomb), "an acknowledgement": plain(nobody, api.MediaJOSE, jws), "its header": plain(nobody, api.MediaJOSE, head),
			"a manifest": form(part(api.PartManifest, api.MediaJOSE, "", jws)), "a manifest's header": form(part(api.PartManifest, api.MediaJOSE, "", head)),
			"a content": form(before + part(api.PartContent, api.MediaJOSEJSON, "", bomb)),
		} {
			b.name, b.want = name+" in "+where, []int{400, 404, 413, 422}
			all = append(all, b)
		}
	}
	return all
}

// sealed is a package that policy lets through, with one attachment.
func (s *siege) sealed() *envelope.Sealed {
	s.Helper()
	c, err := client.FromProfile(s.world.Profile("ee/pbgb", certs.RoleUnit))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(c.Close)
	meta, err := s.meta()
	if err != nil {
		s.Fatal(err)
	}
	sealed, err := c.Seal(s.Context(), client.SendInput{To: []string{"lv/vp"}, Meta: meta, Reason: "Bytes that nobody will read", Message: envelope.Message{Text: "x"},
		Attachments: []envelope.AttachmentSource{{Name: "a", MediaType: api.MediaBinary, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }}}})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = sealed.Close() })
	return sealed
}
