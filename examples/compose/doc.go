// Package compose goes with the compose file that lies beside it: its tests
// hold the file to what wiretell needs and to the files it mounts.
package compose
