// Command server defines an event where nobody can import it.
package main

import "github.com/usercast-go/usercast"

var started = usercast.Define[int]("STARTED", usercast.Buffered)

func main() { println(started.Name()) }
