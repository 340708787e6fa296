module godel.invalid/compat/confluent_go

go 1.26.0

require (
	github.com/confluentinc/confluent-kafka-go/v2 v2.11.1
	godel.invalid/compat/program v0.0.0
)

replace godel.invalid/compat/program => ../go_program
