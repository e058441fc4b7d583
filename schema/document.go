package schema

import "github.com/invopop/jsonschema"

// The parts of an AsyncAPI 3.0 document that are used here. Maps are written in
// the order of their keys.
type (
	document struct {
		AsyncAPI           string               `json:"asyncapi"`
		Info               about                `json:"info"`
		DefaultContentType string               `json:"defaultContentType"`
		Servers            map[string]server    `json:"servers"`
		Channels           map[string]channel   `json:"channels"`
		Operations         map[string]operation `json:"operations"`
		Components         components           `json:"components"`
	}
	about struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description,omitempty"`
	}
	server struct {
		Host            string      `json:"host"`
		Protocol        string      `json:"protocol"`
		ProtocolVersion string      `json:"protocolVersion"`
		Description     string      `json:"description"`
		Security        []reference `json:"security"` // any one of them will do
	}
	channel struct {
		Address     string               `json:"address"`
		Title       string               `json:"title"`
		Description string               `json:"description"`
		Servers     []reference          `json:"servers"`
		Messages    map[string]reference `json:"messages"`
		Bindings    struct {
			WS wsBinding `json:"ws"`
		} `json:"bindings"`
		// AsyncAPI has no place for close codes: an extension, beside the description.
		CloseCodes []closeCode `json:"x-close-codes"`
	}
	wsBinding struct {
		Method         string             `json:"method"`
		Query          *jsonschema.Schema `json:"query"`
		BindingVersion string             `json:"bindingVersion"`
	}
	operation struct {
		Action   string      `json:"action"` // the hub's: send, receive
		Channel  reference   `json:"channel"`
		Title    string      `json:"title"`
		Messages []reference `json:"messages"`
		Reply    *reply      `json:"reply,omitempty"`
	}
	reply struct {
		Channel  reference   `json:"channel"`
		Messages []reference `json:"messages"`
	}
	message struct {
		Name        string             `json:"name"`
		Title       string             `json:"title"`
		Summary     string             `json:"summary,omitempty"`
		Description string             `json:"description,omitempty"`
		ContentType string             `json:"contentType,omitempty"`
		Tags        []tag              `json:"tags,omitempty"`
		Payload     *jsonschema.Schema `json:"payload"`
	}
	tag struct {
		Name string `json:"name"`
	}
	securityScheme struct {
		Type        string `json:"type"`
		Description string `json:"description"`
		Scheme      string `json:"scheme,omitempty"`
		Name        string `json:"name,omitempty"`
		In          string `json:"in,omitempty"`
	}
	components struct {
		Messages        map[string]message        `json:"messages"`
		Schemas         jsonschema.Definitions    `json:"schemas"`
		SecuritySchemes map[string]securityScheme `json:"securitySchemes"`
	}
	reference struct {
		Ref string `json:"$ref"`
	}
)
