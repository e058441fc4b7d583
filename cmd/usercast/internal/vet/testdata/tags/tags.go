// Command tags is built in two ways.
package main

func main() {}
