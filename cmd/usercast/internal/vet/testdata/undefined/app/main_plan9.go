package main

import "github.com/usercast-go/usercast"

var another = usercast.Define[order]("UN_FOR_ANOTHER_SYSTEM", usercast.Buffered)
