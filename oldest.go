package usercast

// byOldest is a heap of users, the one with the oldest retained entry on top.
type byOldest []*user

func (h byOldest) Len() int           { return len(h) }
func (h byOldest) Less(i, j int) bool { return h[i].key < h[j].key }
func (h byOldest) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *byOldest) Push(x any) {
	u := x.(*user)
	u.index = len(*h)
	*h = append(*h, u)
}
func (h *byOldest) Pop() any {
	old := *h
	u := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	u.index = -1
	return u
}
