package main

// emission are those of the order in which events are emitted.
var emission = []mutant{
	{"a transaction takes its place after its commit", "emit/tx.go",
		"		out.queue()\n", "		_ = out.queue\n"},
	{"a request takes no place before its response", "emit/fate.go",
		"	inLine.put(o.to, o.entries, o) // before", "	// before"},
	{"what a request has committed stands in no line", "emit/fate.go",
		"	if o.request {\n		inLine.put(o.to, entries, o)\n", "	if o.request {\n		for i := range entries {\n			inLine.leave(entries[i].place)\n		}\n"},
	{"nobody looks who stands before", "emit/order.go",
		"len(all) > 0 && all[0].seq < p.seq", "len(all) > 1<<30"},
	{"an event for many stands in no line of theirs", "emit/order.go",
		"	if e.kind != toMany {\n", "	if true {\n"},
	{"an event leaves its line before it is sent", "emit/flush.go",
		"	finished := false\n	defer func() {\n		inLine.leave(e.place)\n", "	finished := false\n	inLine.leave(e.place)\n	defer func() {\n"},
	{"nobody sends in another's stead", "emit/flush.go",
		"if e = (*from)[i]; e.place == p {", "if e = (*from)[i]; false {"},
	{"who waits is not woken", "emit/order.go",
		"e.place.since = owner, time.Now()\n		e.place.wake()\n", "e.place.since = owner, time.Now()\n"},
	{"what is rolled back stays in line", "emit/outbox.go",
		"			inLine.leave(e.place)\n", ""},
	{"InOrder waits for nobody", "emit/order.go",
		"for p := inLine.before(es[0].place); p != nil;", "for p := (*place)(nil); p != nil;"},
}
