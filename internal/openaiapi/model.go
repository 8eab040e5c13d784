package openaiapi

// Model returns a model as OpenAI has it. When it was made is not known.
func Model(id string) []byte {
	var w builder
	w.string("id", id)
	w.string("object", "model")
	w.raw("created", number(0))
	w.string("owned_by", "baton")
	return w.done()
}
