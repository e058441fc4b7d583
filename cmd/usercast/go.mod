module github.com/usercast-go/usercast/cmd/usercast

go 1.26.0

replace (
	github.com/usercast-go/usercast => ../../
	github.com/usercast-go/usercast/schema => ../../schema
)

require github.com/alecthomas/kong v1.17.0
