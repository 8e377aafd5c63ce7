package alerts

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// nginx is the page that nginx answers for a server behind it that is away, in one
// line as it is kept.
const nginx = `<html> <head><title>502 Bad Gateway</title></head> <body> <center><h1>502 Bad Gateway</h1></center> <hr><center>nginx/1.22.1</center> </body> </html>`

// TestBrief: a headline has our words and the other side's own short message.
func TestBrief(t *testing.T) {
	const created = "refused: create a ticket: https://desk.example answered "
	long := strings.Repeat("the queue is full, ", 300)
	for _, c := range []struct{ name, text, want string }{
		{"no answer", "mapping: fields.host: no such key: host.", "mapping: fields.host: no such key: host"},
		{"nothing came back", created + "500 Internal Server Error", created + "500 Internal Server Error"},
		{"Request Tracker refuses", created + "403 Forbidden: No permission to create tickets in the queue 'Nope'",
			created + "403 Forbidden: No permission to create tickets in the queue 'Nope'"},
		{"Request Tracker as it answers", created + `403 Forbidden: {"message":"No permission to create tickets in the queue 'Nope'"}`,
			created + "403 Forbidden: No permission to create tickets in the queue 'Nope'"},
		{"Request Tracker cannot read", created + `400 Bad Request: {"message":"JSON parse error: , or } expected while parsing object/hash, at character offset 17\n"}`,
			created + "400 Bad Request: JSON parse error: , or } expected while parsing object/hash, at character offset 17"},
		{"Request Tracker's page", created + `404 Not Found: <!DOCTYPE html> <html lang="en"> <head> <title>Page not found</title> <meta http-equiv="X-UA-Compatible" content="IE=edge" /> <!-- The X-UA-Compat`,
			created + "404 Not Found: Page not found"},
		{"a token that is wrong", created + `401 Unauthorized: {"message":"Unauthorized"}`, created + "401 Unauthorized"},
		{"nginx", "gave up after 8 attempts: create a ticket: https://desk.example answered 502 Bad Gateway: " + nginx,
			"gave up after 8 attempts: create a ticket: https://desk.example answered 502 Bad Gateway"},
		{"a page with a title of its own", created + "503 Service Unavailable: <HTML><title>\n We&#39;re &lt;away&gt; </title>", created + "503 Service Unavailable: We're <away>"},
		{"a page without one", created + "400 Bad Request: <p>Say <b>what</b> you want</p><script>var x = 'none';</script>", created + "400 Bad Request: Say what you want"},
		{"problem details", created + `422 Unprocessable Entity: {"type":"about:blank","title":"Unprocessable","status":422,"detail":"the impact is missing"}`,
			created + "422 Unprocessable Entity: the impact is missing"},
		{"an error in an error", created + `400 Bad Request: {"error":{"code":7,"message":"no such group"},"status":"failure"}`, created + "400 Bad Request: no such group"},
		{"a list of errors", created + `400 Bad Request: {"errorMessages":[],"errors":["","the summary is too long"]}`, created + "400 Bad Request: the summary is too long"},
		{"JSON that was cut", created + `400 Bad Request: {"status":400,"errors":[{"field":"impact","message":"must be \"low\" or \"high\", a`,
			created + `400 Bad Request: must be "low" or "high", a`},
		{"JSON that says nothing", created + `400 Bad Request: {"code":17,"trace":[1,2,3]}`, created + "400 Bad Request"},
		{"a source", `source prom, set a silence: http://am:9093 answered 400: {\"code\":400,\"message\":\"parsing alerts body\"}`,
			`source prom, set a silence: http://am:9093 answered 400: parsing alerts body`},
		{"not an answer of a client's", "the source says: " + nginx, "the source says: 502 Bad Gateway"},
		{"several lines", created + "400 Bad Request: first line\nsecond line", created + "400 Bad Request: first line"},
		{"a long line", created + "400 Bad Request: " + long, created + "400 Bad Request: " + strings.Repeat("the queue is full, ", 8) + "the…"},
		{"a word without end", "mapping: " + strings.Repeat("x", 4096), "mapping: " + strings.Repeat("x", 311) + "…"},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Brief(c.text)
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if n := utf8.RuneCountInString(got); n > briefOurs+briefTheirs+3 || strings.ContainsAny(got, "\n\r") {
				t.Errorf("%d runes are no line: %q", n, got)
			}
		})
	}
}

// FuzzBrief: whatever was answered, a headline is one short line of valid text.
func FuzzBrief(f *testing.F) {
	for _, seed := range []string{nginx, `x answered 400: {"message":"a`, "x answered 500: <title", `[["`, "\xff<"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Brief(text)
		if utf8.RuneCountInString(got) > briefOurs+briefTheirs+3 || strings.ContainsAny(got, "\n\r") {
			t.Errorf("%q", got)
		}
	})
}
