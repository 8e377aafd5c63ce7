package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/alert"
	"tieline/internal/config"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/secret"
)

// sendTime bounds one request to one server.
const sendTime = 10 * time.Second

type sendOptions struct {
	servers []string
	source  string
	token   string
	file    string
}

func newSend(c *command) *cobra.Command {
	var o sendOptions
	cmd := &cobra.Command{
		Use:   "send [name=value ...]",
		Short: "Send an alert to a generic source of a running server",
		Long: `Send an alert as the generic source takes it. The names key, status (open or closed),
severity, summary, description, url, starts_at and ends_at (of a closed one) are the
alert's own; any other name is a label, and annotation.name an annotation. A key is
needed: it names the problem, and the same key tells of the same problem again.

With -f, JSON is sent as it is: one alert, or {"alerts": [...]}.

The servers of the management group are tried one after another until one has committed
the alert; --url names them instead.`,
		Example: `  tieline send key=disk-db3 severity=critical summary="/var on db3 is 96 % full" host=db3
  tieline send key=disk-db3 status=closed
  tieline send --source shop --url http://server1:8642 -f alerts.json`,
		Args: args(cobra.ArbitraryArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := c.sendBody(o, args)
			if err != nil {
				return err
			}
			token, err := secret.Ref(o.token).Resolve()
			if err != nil {
				return fault.Wrap(fault.Invalid, err, "the source's token: "+err.Error())
			}
			if len(o.servers) == 0 {
				if o.servers, err = c.liveServers(cmd); err != nil {
					return err
				}
			}
			return c.send(cmd.Context(), o, token, body)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.servers, "url", nil, "servers to try, as http://host:port (default: those of the database)")
	f.StringVar(&o.source, "source", "default", "the generic source's name")
	f.StringVar(&o.token, "token", "", `the source's token, by reference: "env:NAME" or "file:/path"`)
	f.StringVarP(&o.file, "file", "f", "", `JSON to send; "-" reads the standard input`)
	_ = cmd.MarkFlagFilename("file", "json")
	c.flagNames(cmd, "source", genericSources)
	return cmd
}

func (c *command) sendBody(o sendOptions, args []string) ([]byte, error) {
	if (o.file == "") == (len(args) == 0) {
		return nil, fault.New(fault.Invalid, "give the alert as name=value, or as JSON with -f").WithNext(`See "tieline send --help".`)
	}
	if o.file != "" {
		return c.readInput(o.file)
	}
	return alertFromArgs(args)
}

// alertFromArgs makes the generic source's JSON of name=value words.
func alertFromArgs(args []string) ([]byte, error) {
	own := map[string]any{"status": string(alert.Open)}
	labels, annotations := map[string]string{}, map[string]string{}
	given := map[string]bool{}
	var problems []fault.Problem
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			problems = append(problems, fault.Problem{Path: arg, Message: "must be name=value"})
			continue
		}
		if given[name] {
			problems = append(problems, fault.Problem{Path: name, Message: "is given twice"})
			continue
		}
		given[name] = true
		switch name {
		case "key", "status", "severity", "summary", "description", "url", "starts_at", "ends_at":
			own[name] = value
		default:
			if rest, ok := strings.CutPrefix(name, "annotation."); ok {
				annotations[rest] = value
				continue
			}
			labels[strings.TrimPrefix(name, "label.")] = value
		}
	}
	if own["key"] == nil {
		problems = append(problems, fault.Problem{Path: "key", Message: "is needed: it names the problem"})
	}
	if err := fault.InvalidInput("the alert is not valid:", problems); err != nil {
		return nil, err
	}
	if len(labels) > 0 {
		own["labels"] = labels
	}
	if len(annotations) > 0 {
		own["annotations"] = annotations
	}
	return json.Marshal(own)
}

// liveServers returns the addresses of the servers that are not Offline, those
// heard last first. Where no database is named and none lies here, it is where
// this host's server listens.
func (c *command) liveServers(cmd *cobra.Command) ([]string, error) {
	cfg, err := c.config(cmd)
	if err != nil {
		return nil, err
	}
	here := []string{"http://" + config.Reachable(cfg.Listen)}
	db, err := c.open(cmd)
	if err != nil && cfg.Embedded() && fault.KindOf(err) != fault.Refused {
		return here, nil
	}
	if err != nil {
		return nil, err // another group's server may listen here
	}
	defer db.Close()
	group, err := db.ReadGroup(cmd.Context())
	if err != nil {
		return nil, err
	}
	var live []string
	for _, s := range group.Servers {
		if s.Address != "" && s.Boot != "" && s.Silence < s.Promised {
			live = append(live, s.Address)
		}
	}
	if len(live) == 0 {
		return nil, fault.New(fault.Unavailable, "no server of the management group is running").
			WithNext(`Start one with "tieline serve", or name one with --url.`)
	}
	return live, nil
}

func (c *command) send(ctx context.Context, o sendOptions, token secret.String, body []byte) error {
	var last error
	for _, server := range o.servers {
		sending, cancel := context.WithTimeout(ctx, sendTime)
		answer, err := post(sending, strings.TrimSuffix(server, "/")+"/v1/sources/"+o.source, token, body)
		cancel()
		if err == nil {
			c.say("%s took it in: %s", server, strings.TrimSpace(string(answer)))
			return c.printUnlessTable(json.RawMessage(answer))
		}
		last = err
		if fault.KindOf(err) != fault.Unavailable {
			return err // another server would say the same
		}
	}
	return last
}

// post sends one request. Its error has the kind that the server's answer stands for.
func post(ctx context.Context, url string, token secret.String, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the server's URL is not valid")
	}
	req.Header.Set("Content-Type", "application/json")
	if !token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, fmt.Sprintf("%s cannot be reached", req.URL.Host)).
			WithNext(`Is it running? "tieline status" shows the servers.`)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, connector.MaxSize))
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, fmt.Sprintf("%s did not finish its answer", req.URL.Host))
	}
	if resp.StatusCode/100 == 2 {
		return answer, nil
	}
	return nil, refusal(req.URL.Host, resp.StatusCode, answer)
}

// refusal makes of a server's answer (RFC 9457) the error that it stands for.
func refusal(host string, status int, answer []byte) error {
	var p struct {
		Detail   string          `json:"detail"`
		Problems []fault.Problem `json:"problems"`
	}
	if err := json.Unmarshal(answer, &p); err != nil || p.Detail == "" {
		p.Detail = clip(strings.TrimSpace(string(answer)), 300) // not one of ours: a proxy, say
	}
	e := fault.New(kindOf(status), fmt.Sprintf("%s answered %d: %s", host, status, p.Detail))
	e.Problems = p.Problems
	return e
}

// kindOf is the kind whose Status an answer has.
func kindOf(status int) fault.Kind {
	for _, k := range []fault.Kind{fault.Invalid, fault.NotFound, fault.Refused, fault.Unauthorized, fault.Forbidden, fault.TooLarge, fault.Unavailable} {
		if k.Status() == status {
			return k
		}
	}
	if status/100 == 4 {
		return fault.Invalid
	}
	return fault.Unavailable
}
