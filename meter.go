package usercast

// What a client may send: the hub's own traffic is a ping now and then. The
// bursts let a page send a batch to Config.OnMessage; a flood spends them in
// milliseconds.
const (
	framesPerSecond = 100
	framesBurst     = 200
	bytesPerSecond  = 64 << 10
	bytesBurst      = 128 << 10
)

// A meter is a token bucket on inbound frames and bytes. To count frames it
// follows the framing of RFC 6455 §5.2 through whatever pieces the bytes come in.
type meter struct {
	frames, bytes bucket

	header [10]byte // the header being read, without the mask
	got    int
	skip   uint64 // payload and mask still to pass over
	open   bool   // a fragmented message has begun and not ended
}

// between says whether the bytes so far end with a whole message.
func (m *meter) between() bool { return m.got == 0 && m.skip == 0 && !m.open }

// start fills the buckets. now is monotonic ns, as everywhere here.
func (m *meter) start(now int64) {
	m.frames = bucket{now, framesBurst}
	m.bytes = bucket{now, bytesBurst}
}

// allow takes p from the buckets and says whether they held it.
func (m *meter) allow(p []byte, now int64) bool {
	return m.frames.take(float64(m.count(p)), framesPerSecond, framesBurst, now) &&
		m.bytes.take(float64(len(p)), bytesPerSecond, bytesBurst, now)
}

// count returns how many frame headers end in p.
func (m *meter) count(p []byte) (frames int) {
	for len(p) > 0 {
		if m.skip > 0 {
			n := min(m.skip, uint64(len(p)))
			m.skip -= n
			p = p[n:]
			continue
		}
		m.header[m.got] = p[0]
		m.got++
		p = p[1:]
		if m.got == m.headerLen() {
			frames++
			m.skip = m.payloadLen()
			if control := m.header[0]&0x08 != 0; !control {
				m.open = m.header[0]&0x80 == 0
			}
			m.got = 0
		}
	}
	return frames
}

// headerLen is how long the header is, as far as is known.
func (m *meter) headerLen() int {
	if m.got < 2 {
		return 2
	}
	switch m.header[1] & 0x7f {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

// payloadLen is the length of mask and payload. A length that no one can mean is
// left for the WebSocket library to refuse.
func (m *meter) payloadLen() (n uint64) {
	switch l := m.header[1] & 0x7f; l {
	case 126:
		n = uint64(m.header[2])<<8 | uint64(m.header[3])
	case 127:
		for _, b := range m.header[2:10] {
			n = n<<8 | uint64(b)
		}
	default:
		n = uint64(l)
	}
	if m.header[1]&0x80 != 0 {
		n = min(n, 1<<62) + 4
	}
	return n
}
