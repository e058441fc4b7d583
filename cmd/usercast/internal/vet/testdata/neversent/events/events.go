// Package events defines what package app sends, or does not.
package events

import "github.com/usercast-go/usercast"

type Order struct {
	ID string `json:"id"`
}

const constName = "NS_CONST"

var (
	Sent      = usercast.Define[Order]("NS_SENT", usercast.Buffered)
	Many      = usercast.Define[Order]("NS_MANY", usercast.Buffered)
	All       = (usercast.Define[Order]("NS_ALL", usercast.Buffered))
	Excepted  = usercast.Define[Order]("NS_EXCEPTED", usercast.Buffered)
	Made      = usercast.Define[Order]("NS_MADE", usercast.Buffered)
	Passed    = usercast.Define[Order]("NS_PASSED", usercast.Buffered)
	Batched   = usercast.Define[Order]("NS_BATCHED", usercast.Buffered)
	Progress  = usercast.DefineKeyed("NS_PROGRESS", usercast.Latest, func(o Order) string { return o.ID })
	Listed    = usercast.Define[Order]("NS_LISTED", usercast.Buffered)
	Bound     = usercast.Define[Order]("NS_BOUND", usercast.Buffered)
	ByName    = usercast.Define[Order]("NS_BY_NAME", usercast.Buffered)
	ByText    = usercast.Define[Order]("NS_BY_TEXT", usercast.Buffered)
	ByConst   = usercast.Define[Order](constName, usercast.Buffered)
	Elsewhere = usercast.Define[Order]("NS_ELSEWHERE", usercast.Buffered) // in a file for another system
	Aliased   = usercast.Define[Order]("NS_ALIASED", usercast.Buffered)

	Dead      = usercast.Define[Order]("NS_DEAD", usercast.Buffered)                                                 // want `^event NS_DEAD is defined and never broadcast$`
	DeadKeyed = usercast.DefineKeyed("NS_DEAD_KEYED", usercast.Latest, func(o Order) string { return o.ID })         // want `NS_DEAD_KEYED`
	Compared  = usercast.Define[Order]("NS_COMPARED", usercast.Buffered)                                             // want `NS_COMPARED`
	Switched  = usercast.Define[Order]("NS_SWITCHED", usercast.Buffered)                                             // want `NS_SWITCHED`
	Classed   = usercast.Define[Order]("NS_CLASSED", usercast.Buffered)                                              // want `NS_CLASSED`
	Dropped   = usercast.Define[Order]("NS_DROPPED", usercast.Buffered)                                              // want `NS_DROPPED`
	Text      = usercast.Define[Order]("NS_TEXT", usercast.Buffered)                                                 // want `NS_TEXT`
	Tested    = usercast.Define[Order]("NS_TESTED", usercast.Buffered)                                               // want `NS_TESTED`
	Constant  = usercast.Define[Order](unusedName, usercast.Buffered)                                                // want `NS_UNUSED`
	A, B      = usercast.Define[Order]("NS_A", usercast.Buffered), usercast.Define[Order]("NS_B", usercast.Buffered) // want `NS_B`

	_ = usercast.Define[Order]("NS_BLANK", usercast.Buffered) // want `NS_BLANK`

	// Who holds these cannot be followed.
	Group     = struct{ In usercast.EventType[Order] }{usercast.Define[Order]("NS_GROUP", usercast.Buffered)}
	Table     = []any{usercast.Define[Order]("NS_TABLE", usercast.Buffered)}
	Any   any = usercast.Define[Order]("NS_ANY", usercast.Buffered)
)

const unusedName = "NS_UNUSED"

var late usercast.EventType[Order]

func init() {
	late = usercast.Define[Order]("NS_LATE", usercast.Buffered) // want `NS_LATE`
}
