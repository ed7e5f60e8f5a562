// Package netnstest gives tests network namespaces of their own, so that live
// captures never touch the host's interfaces and need no privilege: a process
// that is not root gets a user namespace first. Linux only.
//
//	func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		a, b := netnstest.New(t), netnstest.New(t)
//		link := netnstest.Connect(t, a, b)
//		b.Do(func() error { ... listen on link.B ... })
//	}
//
// # Data flow
//
// [Main] runs the tests in a child process that is alone in a fresh network
// namespace. [New] makes more of them, [NS.Do] runs a function in one, on a
// thread of its own: a socket belongs for its life to the namespace it was
// opened in. [Connect] puts a veth pair between two. [Child] runs the calling
// test again in a child process, for what changes a whole process.
//
// # Concurrency
//
// Everything may be called from any goroutine. What a function given to Do
// starts itself (goroutines) is not in the namespace.
//
// # Limitations
//
// The resolver of package net starts goroutines: dial addresses, not names.
package netnstest
