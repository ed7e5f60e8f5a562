package afpacket

import (
	"sync/atomic"
	"unsafe"
)

// blockStatus is the word by which kernel and program hand a block to each
// other: block_status of struct tpacket_hdr_v1, 8 bytes into the block. It is
// the only memory that both sides write, so it alone needs atomic access: the
// load orders the reads of the frames after it (the kernel has a write barrier
// before it sets the word), the store orders them before it. Go's atomics give
// this on every architecture, arm64 included.
//
// This is the only use of package unsafe in the capture path. Blocks are
// aligned to pages, so the word is aligned.
func blockStatus(block []byte) *uint32 {
	return (*uint32)(unsafe.Pointer(&block[offStatus]))
}

func loadStatus(block []byte) uint32     { return atomic.LoadUint32(blockStatus(block)) }
func storeStatus(block []byte, v uint32) { atomic.StoreUint32(blockStatus(block), v) }
