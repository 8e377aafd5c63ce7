package console

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

// The names of a document form's fields begin with what they hold:
//
//	v:PATH      a value; empty = the default
//	l:PATH      a list, its items apart by commas
//	y:PATH      a part of the document as YAML
//	add:PATH    an item to be put at the end of a list; empty = none
//	key:PATH    a key to be added to a table, with its value in new:PATH
//	do          the button: up:PATH, down:PATH, remove:PATH
//
// and, where a value is not what stands in the document as it is,
//
//	map:NAME    a remote field's template or expression, cel:NAME which of both
//	refire:CLASS:action, refire:CLASS:within
//	source-name, source-kind: a source to be added
const (
	formValue  = "v:"
	formList   = "l:"
	formBlock  = "y:"
	formAdd    = "add:"
	formKey    = "key:"
	formNew    = "new:"
	formMap    = "map:"
	formCEL    = "cel:"
	formRefire = "refire:"
)

// seenOf is what the form was made from.
func seenOf(r *http.Request) (documents.Seen, error) {
	seen, err := documents.ParseETag(r.PostFormValue("seen"))
	if err != nil {
		return seen, notDecidedOn()
	}
	return seen, nil
}

// saveTab saves a tab's form as the next revision of the draft.
func (c *Console) saveTab(tab string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		back := connectorURL(r.PathValue("connector")) + "/" + tab
		if chosen := r.PostFormValue("alert"); chosen != "" { // the preview goes on with the same alert
			back += "?" + url.Values{"alert": {chosen}}.Encode()
		}
		state, changed, err := c.saveForm(r)
		switch {
		case err != nil && c.typedAgain(w, r, tab, err):
		case err != nil:
			c.notSaved(w, r, back, err)
		case !changed:
			c.done(w, r, back, Notice{What: "Nothing was changed."})
		default:
			c.done(w, r, back, savedNotice(state))
		}
	}
}

func savedNotice(state documents.State) Notice {
	n := Notice{Kind: "ok", What: fmt.Sprintf("Saved in the draft, revision %d.", state.Draft.Revision)}
	if state.Live.Version > 0 {
		n.Text = fmt.Sprintf("The servers go on with version %d until the draft is applied.", state.Live.Version)
	}
	if len(state.Problems) > 0 {
		n.Kind = "amber"
		n.Text = plural(len(state.Problems), "problem has", "problems have") + " to be mended before it can be applied."
	}
	return n
}

// notSaved answers an edit that could not be saved; one that somebody else's came
// before, with both.
func (c *Console) notSaved(w http.ResponseWriter, r *http.Request, back string, err error) {
	var conflict *documents.Conflict
	if errors.As(err, &conflict) {
		c.showConflict(w, r, conflict)
		return
	}
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.Invalid && len(f.Problems) > 0 {
		c.done(w, r, back, Notice{Kind: "red", What: capital(f.Msg) + ".", Text: problemsLine(f.Problems)})
		return
	}
	c.undone(w, r, back, err)
}

// typedAgain shows a tab's form as it was sent, with what is wrong with it: a part
// of the document that was typed as YAML and is none cannot be put into the draft.
// false = that is not what was wrong.
func (c *Console) typedAgain(w http.ResponseWriter, r *http.Request, tab string, wrong error) bool {
	var f *fault.Error
	if tab != "remote" && tab != "sources" || !errors.As(wrong, &f) || f.Kind != fault.Invalid || len(f.Problems) == 0 {
		return false
	}
	p, err := c.document(w, r, tab)
	if err != nil {
		return false
	}
	p.typed, p.Path = r.PostForm, p.URL+"/"+tab
	p.Made, _ = documents.ParseETag(r.PostFormValue("seen")) // read before: the form was made from it
	p.State.Problems = append(p.State.Problems, f.Problems...)
	p.Notice = &Notice{Kind: "red", What: "Nothing was saved: " + f.Msg + ".", Text: problemsLine(f.Problems)}
	if tab == "remote" {
		c.render(w, r, p.status(), "remote.html", remotePageOf(p))
	} else {
		c.showSources(w, r, p, nil)
	}
	return true
}

// problemsLine names every field with what is wrong with it.
func problemsLine(problems []fault.Problem) string {
	var parts []string
	for _, p := range placed(problems, false) {
		parts = append(parts, strings.TrimPrefix(p.Path+": "+p.Message, ": "))
	}
	return strings.Join(parts, "; ") + "."
}

// saveForm makes the changes of the form on what it was made from. changed is
// false when it says what stood there.
func (c *Console) saveForm(r *http.Request) (state documents.State, changed bool, err error) {
	name := r.PathValue("connector")
	seen, err := seenOf(r)
	if err != nil {
		return state, false, err
	}
	was, err := c.Services.Documents.At(r.Context(), name, seen)
	if err != nil {
		return state, false, err
	}
	f := formReader{form: r.PostForm, shown: show(was)}
	if err := f.read(); err != nil {
		return state, false, err
	}
	if len(f.changes) == 0 {
		state, err = c.Services.Documents.Open(r.Context(), name)
		return state, false, err
	}
	state, err = c.Services.Documents.Edit(r.Context(), who(r), name, seen, f.changes...)
	return state, err == nil, err
}

// formReader finds the changes that a form makes of what it showed.
type formReader struct {
	form    url.Values
	shown   shownText
	changes []documents.Change
	emptied []edit.Path // items of lists whose field was emptied
}

func (f *formReader) add(change documents.Change, err error) error {
	if err == nil {
		f.changes = append(f.changes, change)
	}
	return err
}

// read goes through the fields in the order of their names, then does what the
// button says: so that buttons which move rows move them with their values.
func (f *formReader) read() error {
	for _, name := range slices.Sorted(maps.Keys(f.form)) {
		if err := f.field(name, strings.ReplaceAll(f.form.Get(name), "\r\n", "\n")); err != nil {
			return err
		}
	}
	if name := strings.TrimSpace(f.form.Get("source-name")); name != "" {
		if err := f.add(documents.Append("sources", map[string]string{"name": name, "kind": f.form.Get("source-kind")})); err != nil {
			return err
		}
	}
	f.readRefire()
	f.removeEmptied()
	return f.button(f.form.Get("do"))
}

// removeEmptied takes emptied items out of their lists, the last first, so that
// the places of the others hold.
func (f *formReader) removeEmptied() {
	slices.SortFunc(f.emptied, func(a, b edit.Path) int { return b[len(b)-1].Index - a[len(a)-1].Index })
	for _, p := range f.emptied {
		f.changes = append(f.changes, func(t *edit.Text) error { t.Remove(p); return nil })
	}
}

func (f *formReader) field(name, text string) error {
	kind, path, _ := strings.Cut(name, ":")
	switch kind + ":" {
	case formValue:
		return f.value(path, text)
	case formList:
		return f.list(path, text)
	case formBlock:
		return f.block(path, text)
	case formAdd:
		if text = strings.TrimSpace(text); text != "" {
			return f.add(documents.Append(path, text))
		}
	case formKey:
		return f.entry(path, strings.TrimSpace(text), f.form.Get(formNew+path))
	case formMap:
		return f.mapping(path, text)
	}
	return nil
}

// emptyMeans lists the values whose empty text is a value of its own and not the default.
var emptyMeans = map[string]bool{"states.open": true, "states.closed": true}

func (f *formReader) value(path, text string) error {
	if old, _ := f.shown.value(path); text == old {
		return nil
	}
	p, err := edit.ParsePath(path)
	switch {
	case err == nil && text == "" && len(p) > 0 && p[len(p)-1].Index >= 0:
		f.emptied = append(f.emptied, p)
		return nil
	case text == "" && !emptyMeans[path]:
		return f.add(documents.Remove(path))
	}
	return f.add(documents.Set(path, typed(path, text)))
}

var (
	numberPaths = regexp.MustCompile(`^(limits\.(concurrency|rate|burst|attempts)|high_availability\.tolerance)$`)
	truthPaths  = regexp.MustCompile(`^lifecycle\.skip_closed_unsent$`)
)

// typed is the value that a field's text stands for. What it should be and is
// not stays text, and the check says so.
func typed(path, text string) any {
	switch {
	case numberPaths.MatchString(path):
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	case truthPaths.MatchString(path):
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	}
	return text
}

func (f *formReader) list(path, text string) error {
	items := splitList(text)
	p, err := edit.ParsePath(path)
	if err != nil {
		return fault.InvalidInput("the form is not valid", []fault.Problem{{Path: path, Message: err.Error()}})
	}
	if slices.Equal(items, f.shown.items(p)) {
		return nil
	}
	if len(items) == 0 {
		return f.add(documents.Remove(path))
	}
	return f.add(documents.Set(path, items))
}

func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// items is the list at a path, or the default that holds there.
func (s shownText) items(p edit.Path) []string {
	from := s.effective
	if s.text != nil && s.text.Len(p) > 0 {
		from = s.text
	}
	if from == nil {
		return nil
	}
	var items []string
	for i := range from.Len(p) {
		item, _ := from.Scalar(p.Item(i))
		items = append(items, item)
	}
	return items
}

func (f *formReader) block(path, text string) error {
	if strings.TrimSpace(text) == strings.TrimSpace(f.shown.block(path)) {
		return nil
	}
	if strings.TrimSpace(text) == "" {
		return f.add(documents.Remove(path))
	}
	return f.add(documents.SetBlock(path, text))
}

// entry adds a key to a table.
func (f *formReader) entry(path, key, value string) error {
	if key == "" {
		return nil
	}
	p, err := edit.ParsePath(path)
	if err != nil {
		return fault.InvalidInput("the form is not valid", []fault.Problem{{Path: path, Message: err.Error()}})
	}
	return f.add(documents.Set(p.Key(key).String(), value))
}

// mapping sets what a remote field is made of.
func (f *formReader) mapping(name, text string) error {
	path := edit.At("fields", name)
	asCEL := f.form.Get(formCEL+name) != ""
	was, wasCEL := f.shown.mapping(name)
	if text == was && asCEL == wasCEL {
		return nil
	}
	if strings.TrimSpace(text) == "" {
		return f.add(documents.Remove(path.String()))
	}
	if asCEL {
		return f.add(documents.Set(path.String(), map[string]string{"cel": text}))
	}
	return f.add(documents.Set(path.String(), text))
}

// mapping is what a remote field is made of.
func (s shownText) mapping(name string) (text string, cel bool) {
	path := edit.At("fields", name)
	if text, ok := s.value(path.Key("cel").String()); text != "" || ok {
		return text, true
	}
	text, _ = s.value(path.String())
	return text, false
}

// readRefire sets rows of the life cycle table as a whole: an entry of the
// document replaces the default's action and time together.
func (f *formReader) readRefire() {
	for name := range f.form {
		class, ok := strings.CutPrefix(name, formRefire)
		class, ok2 := strings.CutSuffix(class, ":action")
		if !ok || !ok2 {
			continue
		}
		path := edit.At("lifecycle", "refire", class)
		action, within := f.form.Get(name), strings.TrimSpace(f.form.Get(formRefire+class+":within"))
		wasAction, _ := f.shown.value(path.Key("action").String())
		wasWithin, _ := f.shown.value(path.Key("within").String())
		if action == wasAction && within == zeroless(wasWithin) {
			continue
		}
		entry := map[string]string{"action": action}
		if within != "" {
			entry["within"] = within
		}
		f.changes = append(f.changes, func(t *edit.Text) error { return t.Set(path, entry) })
	}
}

// zeroless shows a zero duration, which means "always" here, as nothing.
func zeroless(duration string) string {
	if duration == "0s" {
		return ""
	}
	return duration
}

// button does what the pressed button says.
func (f *formReader) button(do string) error {
	action, path, _ := strings.Cut(do, ":")
	switch action {
	case "up", "down":
		p, err := edit.ParsePath(path)
		if err != nil || len(p) == 0 || p[len(p)-1].Index < 0 {
			return fault.New(fault.Invalid, "the button names no row")
		}
		from := p[len(p)-1].Index
		to := from - 1
		if action == "down" {
			to = from + 1
		}
		return f.add(documents.Move(p[:len(p)-1].String(), from, to))
	case "remove":
		return f.add(documents.Remove(path))
	}
	return nil
}
