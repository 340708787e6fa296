// Package program is what the Go clients' programs have in common: they read an operation's
// arguments from stdin, ask their library, and print the answer; see compat_tests/programs.py.
package program

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Timeout ends whatever a broker has not answered by then.
const Timeout = 30 * time.Second

// Position is a partition and an offset.
type Position [2]int64

type Header struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// Record has null bytes as nil, and empty bytes as an empty slice.
type Record struct {
	Value       []byte   `json:"value"`
	Key         []byte   `json:"key"`
	Headers     []Header `json:"headers"`
	TimestampMs *int64   `json:"timestamp_ms"`
}

type Step struct {
	Do        string `json:"do"`
	To        int64  `json:"to"`
	Count     int    `json:"count"`
	Partition int32  `json:"partition"`
}

// Arguments of all operations together; each reads its own.
type Arguments struct {
	Topic             string            `json:"topic"`
	Group             string            `json:"group"`
	Partitions        int32             `json:"partitions"`
	ReplicationFactor int16             `json:"replication_factor"`
	Configs           map[string]string `json:"configs"`
	Records           []Record          `json:"records"`
	Partition         *int32            `json:"partition"`
	Codec             string            `json:"codec"`
	Idempotent        bool              `json:"idempotent"`
	Count             int               `json:"count"`
	At                int64             `json:"at"`
	TimestampMs       int64             `json:"timestamp_ms"`
	Metadata          string            `json:"metadata"`
	List              []int32           `json:"list"`
	Steps             []Step            `json:"steps"`
}

type Committed struct {
	Offset   int64  `json:"offset"` // -1: nothing was committed
	Metadata string `json:"metadata"`
}

type GroupView struct {
	State    string  `json:"state"`
	Members  int     `json:"members"`
	Assigned []int32 `json:"assigned"`
}

// Client is one library, adapted. An error that wraps what the broker answered is told apart by
// the code function given to Run.
type Client interface {
	CreateTopic(arguments Arguments) error
	DeleteTopic(topic string) error
	AddPartitions(topic string, total int32) error
	Topics() (map[string]int, error)
	Configs(topic string) (map[string]*string, error)
	AlterConfigs(topic string, configs map[string]string) error
	Produce(arguments Arguments) ([]Position, error)
	Consume(topic string, partition int32, at int64, count int) ([]Record, error)
	// Offset of partition 0 or another for a time, or for Earliest and Latest; -1: there is none.
	Offset(topic string, partition int32, timestampMs int64) (int64, error)
	Commit(group, topic string, offset int64, metadata string) error
	Committed(group, topic string, partitions []int32) ([]Committed, error)
	// CommitStale commits as the group's only member, in a generation that is not the group's.
	CommitStale(group, topic string, generation int32) error
	DescribeGroup(group string) (GroupView, error)
	ListGroups() ([]string, error)
	DeleteGroup(group string) error
	DeleteRecords(topic string, partition int32, before int64) error
	PartitionsOf(records []Record, partitions int32) ([]int32, error)
	Travel(topic string, partitions int32) (Traveller, error)
	Member(member Membership) error
}

// Traveller is a consumer that begins at the start of every partition; seeks are for partition 0.
type Traveller interface {
	Read(count int) ([]Position, error)
	SeekTo(offset int64) error
	Pause(partition int32) error
	Resume(partition int32) error
}

// The timestamps that ask for the first and the next offset.
const (
	Latest   int64 = -1
	Earliest int64 = -2
)

// Run does what the command line says and prints the answer.
func Run(
	connect func(ctx context.Context, bootstrap string) (Client, error),
	code func(error) (int, bool),
) {
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	client, err := connect(ctx, os.Args[1])
	end(err)
	if os.Args[2] == "member" {
		stopping := make(chan os.Signal, 1)
		signal.Notify(stopping, syscall.SIGTERM)
		membership := Membership{
			Group: os.Args[3], Topic: os.Args[4], Assignor: os.Args[5], Stopping: stopping,
		}
		if len(os.Args) > 6 {
			membership.Instance = os.Args[6]
		}
		end(client.Member(membership))
		return
	}
	var arguments Arguments
	end(json.NewDecoder(os.Stdin).Decode(&arguments))
	result, err := answer(client, os.Args[2], arguments)
	if err == nil {
		printLine(map[string]any{"result": result})
	} else if number, refused := code(err); refused {
		printLine(map[string]any{"error": map[string]any{"code": number, "text": err.Error()}})
	} else {
		end(err)
	}
}

func end(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var printing sync.Mutex

func printLine(line any) {
	text, err := json.Marshal(line)
	end(err)
	printing.Lock()
	defer printing.Unlock()
	_, err = os.Stdout.Write(append(text, '\n'))
	end(err)
}

func answer(client Client, operation string, a Arguments) (any, error) {
	switch operation {
	case "create_topic":
		return nil, client.CreateTopic(a)
	case "delete_topic":
		return nil, client.DeleteTopic(a.Topic)
	case "add_partitions":
		return nil, client.AddPartitions(a.Topic, a.Partitions)
	case "topics":
		return client.Topics()
	case "configs":
		return client.Configs(a.Topic)
	case "alter_config":
		return nil, client.AlterConfigs(a.Topic, a.Configs)
	case "produce":
		return client.Produce(a)
	case "consume":
		return client.Consume(a.Topic, *a.Partition, a.At, a.Count)
	case "watermarks":
		first, err := client.Offset(a.Topic, *a.Partition, Earliest)
		if err != nil {
			return nil, err
		}
		next, err := client.Offset(a.Topic, *a.Partition, Latest)
		return []int64{first, next}, err
	case "offset_for_time":
		return client.Offset(a.Topic, 0, a.TimestampMs)
	case "commit":
		return nil, client.Commit(a.Group, a.Topic, a.At, a.Metadata)
	case "committed":
		return client.Committed(a.Group, a.Topic, a.List)
	case "commit_stale":
		return nil, client.CommitStale(a.Group, a.Topic, int32(a.At))
	case "describe_group":
		return client.DescribeGroup(a.Group)
	case "list_groups":
		return client.ListGroups()
	case "delete_group":
		return nil, client.DeleteGroup(a.Group)
	case "delete_records":
		return nil, client.DeleteRecords(a.Topic, *a.Partition, a.At)
	case "partitions_of":
		return client.PartitionsOf(a.Records, a.Partitions)
	case "journey":
		return journey(client, a)
	}
	return nil, fmt.Errorf("no operation %q", operation)
}

func journey(client Client, a Arguments) ([][]Position, error) {
	traveller, err := client.Travel(a.Topic, a.Partitions)
	if err != nil {
		return nil, err
	}
	reads := [][]Position{}
	for _, step := range a.Steps {
		var read []Position
		switch step.Do {
		case "read":
			read, err = traveller.Read(step.Count)
			reads = append(reads, read)
		case "seek":
			err = traveller.SeekTo(step.To)
		case "seek_beginning":
			err = seekTo(client, traveller, a.Topic, Earliest)
		case "seek_end":
			err = seekTo(client, traveller, a.Topic, Latest)
		case "seek_time":
			err = seekTo(client, traveller, a.Topic, step.To)
		case "pause":
			err = traveller.Pause(step.Partition)
		case "resume":
			err = traveller.Resume(step.Partition)
		case "produce":
			_, err = client.Produce(Arguments{
				Topic: a.Topic, Partition: &step.Partition, Records: make([]Record, step.Count),
			})
		default:
			err = fmt.Errorf("no step %q", step.Do)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step.Do, err)
		}
	}
	return reads, nil
}

func seekTo(client Client, traveller Traveller, topic string, timestampMs int64) error {
	offset, err := client.Offset(topic, 0, timestampMs)
	if err != nil {
		return err
	}
	return traveller.SeekTo(offset)
}

// Membership is a member's place in a group, and how it hears that it shall leave.
type Membership struct {
	Group, Topic, Assignor, Instance string
	Stopping                         <-chan os.Signal
}

// How fast a group notices that a member died.
const (
	SessionTimeout    = 6 * time.Second
	HeartbeatInterval = 500 * time.Millisecond
)

// TellRead prints what the library handed over.
func TellRead(read []Position) {
	printLine(map[string]any{"read": read})
}

// TellCommitted prints whether all that was read so far is committed; if not, it may be read again.
func TellCommitted(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	printLine(map[string]any{"committed": err == nil})
}
