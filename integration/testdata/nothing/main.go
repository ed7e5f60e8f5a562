// Command nothing does nothing, and does it well.
package main

func main() {}
