// segmentio/kafka-go for the shared suite: Writer and Client for modern requests, Reader for old ones.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"godel.invalid/compat/program"
)

func main() {
	program.Run(connect, func(err error) (int, bool) {
		var tooLarge kafka.MessageTooLargeError
		if errors.As(err, &tooLarge) {
			return int(kafka.MessageSizeTooLarge), true
		}
		var several kafka.WriteErrors
		if errors.As(err, &several) {
			for _, one := range several {
				if one != nil {
					err = one
					break
				}
			}
		}
		var refused kafka.Error
		if errors.As(err, &refused) && refused > 0 {
			return int(refused), true
		}
		return 0, false
	})
}

type client struct {
	*kafka.Client
	ctx       context.Context
	bootstrap string
}

func connect(ctx context.Context, bootstrap string) (program.Client, error) {
	inner := &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: program.Timeout}
	return &client{inner, ctx, bootstrap}, nil
}

func (c *client) CreateTopic(a program.Arguments) error {
	topic := kafka.TopicConfig{
		Topic:             a.Topic,
		NumPartitions:     int(a.Partitions),
		ReplicationFactor: int(a.ReplicationFactor),
	}
	for key, value := range a.Configs {
		entry := kafka.ConfigEntry{ConfigName: key, ConfigValue: value}
		topic.ConfigEntries = append(topic.ConfigEntries, entry)
	}
	answer, err := c.CreateTopics(
		c.ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err != nil {
		return err
	}
	return answer.Errors[a.Topic]
}

func (c *client) DeleteTopic(topic string) error {
	answer, err := c.DeleteTopics(c.ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (c *client) AddPartitions(topic string, total int32) error {
	wanted := kafka.TopicPartitionsConfig{Name: topic, Count: total}
	answer, err := c.CreatePartitions(c.ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{wanted},
	})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (c *client) Topics() (map[string]int, error) {
	answer, err := c.Metadata(c.ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	topics := map[string]int{}
	for _, topic := range answer.Topics {
		topics[topic.Name] = len(topic.Partitions)
	}
	return topics, nil
}

func (c *client) Configs(topic string) (map[string]*string, error) {
	resource := kafka.DescribeConfigRequestResource{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
	}
	answer, err := c.DescribeConfigs(c.ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{resource},
	})
	if err != nil {
		return nil, err
	}
	configs := map[string]*string{}
	for _, resource := range answer.Resources {
		if resource.Error != nil {
			return nil, resource.Error
		}
		for _, entry := range resource.ConfigEntries {
			configs[entry.ConfigName] = &entry.ConfigValue
		}
	}
	return configs, nil
}

func (c *client) AlterConfigs(topic string, configs map[string]string) error {
	resource := kafka.IncrementalAlterConfigsRequestResource{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
	}
	for key, value := range configs {
		resource.Configs = append(resource.Configs, kafka.IncrementalAlterConfigsRequestConfig{
			Name: key, Value: value, ConfigOperation: kafka.ConfigOperationSet,
		})
	}
	answer, err := c.IncrementalAlterConfigs(c.ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{resource},
	})
	if err != nil {
		return err
	}
	return answer.Resources[0].Error
}

var codecs = map[string]kafka.Compression{
	"gzip":   kafka.Gzip,
	"snappy": kafka.Snappy,
	"lz4":    kafka.Lz4,
	"zstd":   kafka.Zstd,
}

func (c *client) Produce(a program.Arguments) ([]program.Position, error) {
	positions := make([]program.Position, len(a.Records))
	writer := &kafka.Writer{
		Addr:         c.Addr,
		Topic:        a.Topic,
		Balancer:     &kafka.Hash{},
		RequiredAcks: kafka.RequireAll,
		Compression:  codecs[a.Codec],
		BatchSize:    1000,
		BatchTimeout: 5 * time.Millisecond,
		MaxAttempts:  2,
		Completion: func(messages []kafka.Message, err error) {
			for _, message := range messages {
				number := message.WriterData.(int)
				positions[number] = program.Position{int64(message.Partition), message.Offset}
			}
		},
	}
	if a.Partition != nil {
		writer.Balancer = kafka.BalancerFunc(func(kafka.Message, ...int) int {
			return int(*a.Partition)
		})
	}
	for _, record := range a.Records {
		// Else the library refuses on its own what the broker shall refuse.
		writer.BatchBytes = max(writer.BatchBytes, 1<<20, int64(len(record.Value)+1000))
	}
	err := writer.WriteMessages(c.ctx, messages(a)...)
	return positions, errors.Join(err, writer.Close())
}

func messages(a program.Arguments) []kafka.Message {
	result := []kafka.Message{}
	for number, record := range a.Records {
		message := kafka.Message{Key: record.Key, Value: record.Value, WriterData: number}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, kafka.Header{
				Key: header.Key, Value: header.Value,
			})
		}
		if record.TimestampMs != nil {
			message.Time = time.UnixMilli(*record.TimestampMs)
		}
		result = append(result, message)
	}
	return result
}

func (c *client) reader(topic string, partition int32) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers:               []string{c.bootstrap},
		Topic:                 topic,
		Partition:             int(partition),
		MinBytes:              1,
		MaxBytes:              8 << 20,
		MaxWait:               500 * time.Millisecond,
		ReadBatchTimeout:      program.Timeout,
		OffsetOutOfRangeError: true,
	})
}

func (c *client) Consume(
	topic string, partition int32, at int64, count int,
) ([]program.Record, error) {
	reader := c.reader(topic, partition)
	defer reader.Close()
	if err := reader.SetOffset(at); err != nil {
		return nil, err
	}
	records := []program.Record{}
	for len(records) < count {
		message, err := reader.ReadMessage(c.ctx)
		if err != nil {
			return nil, err
		}
		if expected := at + int64(len(records)); message.Offset != expected {
			return nil, fmt.Errorf("offset %d instead of %d", message.Offset, expected)
		}
		record := program.Record{Key: message.Key, Value: message.Value}
		for _, header := range message.Headers {
			record.Headers = append(record.Headers, program.Header{
				Key: header.Key, Value: header.Value,
			})
		}
		records = append(records, record)
	}
	return records, nil
}

func (c *client) Offset(topic string, partition int32, timestampMs int64) (int64, error) {
	asked := kafka.OffsetRequest{Partition: int(partition), Timestamp: timestampMs}
	answer, err := c.ListOffsets(c.ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {asked}},
	})
	if err != nil {
		return 0, err
	}
	found := answer.Topics[topic][0]
	switch timestampMs {
	case program.Earliest:
		return found.FirstOffset, found.Error
	case program.Latest:
		return found.LastOffset, found.Error
	}
	for offset := range found.Offsets {
		return offset, found.Error
	}
	return -1, found.Error
}

func (c *client) Commit(group, topic string, offset int64, metadata string) error {
	place := kafka.OffsetCommit{Offset: offset, Metadata: metadata}
	return c.commit(topic, &kafka.OffsetCommitRequest{
		GroupID:      group,
		GenerationID: -1,
		Topics:       map[string][]kafka.OffsetCommit{topic: {place}},
	})
}

func (c *client) commit(topic string, request *kafka.OffsetCommitRequest) error {
	answer, err := c.OffsetCommit(c.ctx, request)
	if err != nil {
		return err
	}
	return answer.Topics[topic][0].Error
}

func (c *client) CommitStale(group, topic string, generation int32) error {
	described, err := c.DescribeGroups(
		c.ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return err
	}
	return c.commit(topic, &kafka.OffsetCommitRequest{
		GroupID:      group,
		GenerationID: int(generation),
		MemberID:     described.Groups[0].Members[0].MemberID,
		Topics:       map[string][]kafka.OffsetCommit{topic: {{}}},
	})
}

func (c *client) Committed(
	group, topic string, partitions []int32,
) ([]program.Committed, error) {
	asked := []int{}
	for _, partition := range partitions {
		asked = append(asked, int(partition))
	}
	answer, err := c.OffsetFetch(c.ctx, &kafka.OffsetFetchRequest{
		GroupID: group, Topics: map[string][]int{topic: asked},
	})
	if err != nil {
		return nil, err
	}
	committed := make([]program.Committed, len(partitions))
	for _, found := range answer.Topics[topic] {
		err = errors.Join(err, found.Error)
		for number, partition := range asked {
			if partition == found.Partition {
				committed[number] = program.Committed{
					Offset: found.CommittedOffset, Metadata: found.Metadata,
				}
			}
		}
	}
	return committed, errors.Join(err, answer.Error)
}

func (c *client) DescribeGroup(group string) (program.GroupView, error) {
	described, err := c.DescribeGroups(
		c.ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return program.GroupView{}, err
	}
	answer := described.Groups[0]
	view := program.GroupView{State: answer.GroupState, Members: len(answer.Members)}
	for _, member := range answer.Members {
		for _, topic := range member.MemberAssignments.Topics {
			for _, partition := range topic.Partitions {
				view.Assigned = append(view.Assigned, int32(partition))
			}
		}
	}
	return view, answer.Error
}

func (c *client) ListGroups() ([]string, error) {
	listed, err := c.Client.ListGroups(c.ctx, &kafka.ListGroupsRequest{})
	if err != nil {
		return nil, err
	}
	groups := []string{}
	for _, group := range listed.Groups {
		groups = append(groups, group.GroupID)
	}
	return groups, listed.Error
}

func (c *client) DeleteGroup(group string) error {
	answer, err := c.DeleteGroups(c.ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return err
	}
	return answer.Errors[group]
}

func (c *client) DeleteRecords(string, int32, int64) error {
	return errors.New("the library cannot delete records")
}

func (c *client) PartitionsOf(records []program.Record, partitions int32) ([]int32, error) {
	all := []int{}
	for partition := range int(partitions) {
		all = append(all, partition)
	}
	balancer := &kafka.Hash{}
	result := []int32{}
	for _, message := range messages(program.Arguments{Records: records}) {
		result = append(result, int32(balancer.Balance(message, all...)))
	}
	return result, nil
}

// traveller reads partition 0 only: a Reader has one partition, and cannot pause.
type traveller struct {
	*client
	reader *kafka.Reader
}

func (c *client) Travel(topic string, _ int32) (program.Traveller, error) {
	reader := c.reader(topic, 0)
	return &traveller{c, reader}, reader.SetOffset(kafka.FirstOffset)
}

func (t *traveller) Read(count int) ([]program.Position, error) {
	read := []program.Position{}
	for len(read) < count {
		message, err := t.reader.ReadMessage(t.ctx)
		if err != nil {
			return nil, err
		}
		read = append(read, positionOf(message))
	}
	return read, nil
}

func positionOf(message kafka.Message) program.Position {
	return program.Position{int64(message.Partition), message.Offset}
}

func (t *traveller) SeekTo(offset int64) error { return t.reader.SetOffset(offset) }
func (t *traveller) Pause(int32) error         { return errors.New("the library cannot pause") }
func (t *traveller) Resume(int32) error        { return errors.New("the library cannot pause") }

// Member reads with a group's Reader, or, for the assignor "generation", with a plain Reader for
// each partition that a Generation gives it.
func (c *client) Member(m program.Membership) error {
	reading, stop := context.WithCancel(context.Background())
	go func() {
		<-m.Stopping
		stop()
	}()
	if m.Assignor == "generation" {
		return c.memberOfGenerations(reading, m)
	}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:           []string{c.bootstrap},
		GroupID:           m.Group,
		Topic:             m.Topic,
		GroupBalancers:    []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
		SessionTimeout:    program.SessionTimeout,
		HeartbeatInterval: program.HeartbeatInterval,
		RebalanceTimeout:  program.SessionTimeout,
		JoinGroupBackoff:  program.HeartbeatInterval,
		MaxWait:           500 * time.Millisecond,
		StartOffset:       kafka.FirstOffset,
	})
	for reading.Err() == nil {
		message, err := reader.FetchMessage(reading)
		if err != nil {
			continue // that we shall stop, or what the reader gets over by itself
		}
		tellReadAndCommit(message, func() error {
			return reader.CommitMessages(context.Background(), message)
		})
	}
	return reader.Close()
}

func tellReadAndCommit(message kafka.Message, commit func() error) {
	program.TellRead([]program.Position{positionOf(message)})
	program.TellCommitted(commit())
}

func (c *client) memberOfGenerations(reading context.Context, m program.Membership) error {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                m.Group,
		Brokers:           []string{c.bootstrap},
		Topics:            []string{m.Topic},
		GroupBalancers:    []kafka.GroupBalancer{kafka.RoundRobinGroupBalancer{}},
		SessionTimeout:    program.SessionTimeout,
		HeartbeatInterval: program.HeartbeatInterval,
		RebalanceTimeout:  program.SessionTimeout,
		JoinGroupBackoff:  program.HeartbeatInterval,
		StartOffset:       kafka.FirstOffset,
	})
	if err != nil {
		return err
	}
	for reading.Err() == nil {
		generation, err := group.Next(reading)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		turns := &sync.Mutex{}
		for _, assignment := range generation.Assignments[m.Topic] {
			generation.Start(func(ctx context.Context) {
				c.readPartition(ctx, generation, m.Topic, assignment, turns)
			})
		}
	}
	return group.Close()
}

// readPartition takes turns with the other partitions: "committed" is about all that was read.
func (c *client) readPartition(
	ctx context.Context,
	generation *kafka.Generation,
	topic string,
	assignment kafka.PartitionAssignment,
	turns *sync.Mutex,
) {
	reader := c.reader(topic, int32(assignment.ID))
	defer reader.Close()
	if err := reader.SetOffset(assignment.Offset); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	for ctx.Err() == nil {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			continue
		}
		turns.Lock()
		tellReadAndCommit(message, func() error {
			return generation.CommitOffsets(map[string]map[int]int64{
				topic: {message.Partition: message.Offset + 1},
			})
		})
		turns.Unlock()
	}
}
