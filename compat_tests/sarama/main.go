// sarama for the shared suite, in its newest dialect.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/IBM/sarama"

	"godel.invalid/compat/program"
)

func main() {
	program.Run(connect, func(err error) (int, bool) {
		var refused sarama.KError
		if errors.As(err, &refused) {
			return int(refused), true
		}
		return 0, false
	})
}

type client struct {
	ctx       context.Context
	bootstrap []string
	admin     sarama.ClusterAdmin
	client    sarama.Client
}

func connect(ctx context.Context, bootstrap string) (program.Client, error) {
	c := &client{ctx: ctx, bootstrap: []string{bootstrap}}
	var err error
	if c.client, err = sarama.NewClient(c.bootstrap, settings()); err != nil {
		return nil, err
	}
	c.admin, err = sarama.NewClusterAdminFromClient(c.client)
	return c, err
}

func settings() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	if wanted := os.Getenv("SARAMA_VERSION"); wanted != "" {
		version, err := sarama.ParseKafkaVersion(wanted)
		if err != nil {
			panic(err)
		}
		config.Version = version
	}
	config.Metadata.AllowAutoTopicCreation = false
	config.Consumer.Return.Errors = true
	return config
}

func pointers(configs map[string]string) map[string]*string {
	result := map[string]*string{}
	for key, value := range configs {
		result[key] = &value
	}
	return result
}

func (c *client) CreateTopic(a program.Arguments) error {
	return c.admin.CreateTopic(a.Topic, &sarama.TopicDetail{
		NumPartitions:     a.Partitions,
		ReplicationFactor: a.ReplicationFactor,
		ConfigEntries:     pointers(a.Configs),
	}, false)
}

func (c *client) DeleteTopic(topic string) error {
	return c.admin.DeleteTopic(topic)
}

func (c *client) AddPartitions(topic string, total int32) error {
	return c.admin.CreatePartitions(topic, total, nil, false)
}

func (c *client) Topics() (map[string]int, error) {
	listed, err := c.admin.ListTopics()
	topics := map[string]int{}
	for name, topic := range listed {
		topics[name] = int(topic.NumPartitions)
	}
	return topics, err
}

func (c *client) Configs(topic string) (map[string]*string, error) {
	resource := sarama.ConfigResource{Type: sarama.TopicResource, Name: topic}
	entries, err := c.admin.DescribeConfig(resource)
	configs := map[string]*string{}
	for _, entry := range entries {
		configs[entry.Name] = &entry.Value
	}
	return configs, err
}

func (c *client) AlterConfigs(topic string, configs map[string]string) error {
	changes := map[string]sarama.IncrementalAlterConfigsEntry{}
	for key, value := range pointers(configs) {
		changes[key] = sarama.IncrementalAlterConfigsEntry{
			Operation: sarama.IncrementalAlterConfigsOperationSet, Value: value,
		}
	}
	return c.admin.IncrementalAlterConfig(sarama.TopicResource, topic, changes, false)
}

var codecs = map[string]sarama.CompressionCodec{
	"":       sarama.CompressionNone,
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func (c *client) Produce(a program.Arguments) ([]program.Position, error) {
	config := settings()
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Producer.Compression = codecs[a.Codec]
	config.Producer.Retry.Max = 50 // 5 s: also while a broker starts
	for _, record := range a.Records {
		// Else the library refuses on its own what the broker shall refuse.
		needed := len(record.Value) + 1000
		config.Producer.MaxMessageBytes = max(config.Producer.MaxMessageBytes, needed)
	}
	if a.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	if a.Partition != nil {
		config.Producer.Partitioner = sarama.NewManualPartitioner
	}
	producer, err := sarama.NewSyncProducer(c.bootstrap, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	messages := messages(a)
	err = producer.SendMessages(messages)
	var failed sarama.ProducerErrors
	if errors.As(err, &failed) {
		return nil, failed[0].Err
	}
	positions := []program.Position{}
	for _, message := range messages {
		positions = append(positions, program.Position{int64(message.Partition), message.Offset})
	}
	return positions, err
}

func messages(a program.Arguments) []*sarama.ProducerMessage {
	result := []*sarama.ProducerMessage{}
	for _, record := range a.Records {
		message := &sarama.ProducerMessage{Topic: a.Topic}
		if record.Key != nil {
			message.Key = sarama.ByteEncoder(record.Key)
		}
		if record.Value != nil {
			message.Value = sarama.ByteEncoder(record.Value)
		}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{
				Key: []byte(header.Key), Value: header.Value,
			})
		}
		if record.TimestampMs != nil {
			message.Timestamp = time.UnixMilli(*record.TimestampMs)
		}
		if a.Partition != nil {
			message.Partition = *a.Partition
		}
		result = append(result, message)
	}
	return result
}

func (c *client) Consume(
	topic string, partition int32, at int64, count int,
) ([]program.Record, error) {
	consumer, err := sarama.NewConsumerFromClient(c.client)
	if err != nil {
		return nil, err
	}
	messages, err := consumer.ConsumePartition(topic, partition, at)
	if err != nil {
		return nil, err
	}
	records := []program.Record{}
	for len(records) < count {
		select {
		case message := <-messages.Messages():
			if expected := at + int64(len(records)); message.Offset != expected {
				return nil, fmt.Errorf("offset %d instead of %d", message.Offset, expected)
			}
			record := program.Record{Key: message.Key, Value: message.Value}
			for _, header := range message.Headers {
				record.Headers = append(record.Headers, program.Header{
					Key: string(header.Key), Value: header.Value,
				})
			}
			records = append(records, record)
		case err := <-messages.Errors():
			return nil, err
		case <-c.ctx.Done():
			return nil, fmt.Errorf("%d of %d records: %w", len(records), count, c.ctx.Err())
		}
	}
	return records, nil
}

func (c *client) Offset(topic string, partition int32, timestampMs int64) (int64, error) {
	return c.client.GetOffset(topic, partition, timestampMs)
}

func (c *client) Commit(group, topic string, offset int64, metadata string) error {
	answer, err := c.admin.AlterConsumerGroupOffsets(
		group,
		map[string]map[int32]sarama.OffsetAndMetadata{
			topic: {0: {Offset: offset, Metadata: metadata, LeaderEpoch: -1}},
		},
		nil,
	)
	if err == nil && answer.Errors[topic][0] != sarama.ErrNoError {
		return answer.Errors[topic][0]
	}
	return err
}

func (c *client) Committed(
	group, topic string, partitions []int32,
) ([]program.Committed, error) {
	found, err := c.admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: partitions})
	if err != nil {
		return nil, err
	}
	if found.Err != sarama.ErrNoError {
		return nil, found.Err
	}
	committed := []program.Committed{}
	for _, partition := range partitions {
		block := found.GetBlock(topic, partition)
		if block.Err != sarama.ErrNoError {
			return nil, block.Err
		}
		committed = append(committed, program.Committed{Offset: block.Offset, Metadata: block.Metadata})
	}
	return committed, nil
}

func (c *client) CommitStale(group, topic string, generation int32) error {
	described, err := c.admin.DescribeConsumerGroups([]string{group})
	if err != nil {
		return err
	}
	request := sarama.NewOffsetCommitRequest(settings(), group)
	request.ConsumerGroupGeneration = generation
	for member := range described[0].Members {
		request.ConsumerID = member
	}
	request.AddBlockWithLeaderEpoch(topic, 0, 0, -1, 0, "")
	coordinator, err := c.client.Coordinator(group)
	if err != nil {
		return err
	}
	answer, err := coordinator.CommitOffset(request)
	if err == nil && answer.Errors[topic][0] != sarama.ErrNoError {
		return answer.Errors[topic][0]
	}
	return err
}

func (c *client) DescribeGroup(group string) (program.GroupView, error) {
	described, err := c.admin.DescribeConsumerGroups([]string{group})
	if err != nil {
		return program.GroupView{}, err
	}
	answer := described[0]
	if answer.Err != sarama.ErrNoError {
		return program.GroupView{}, answer.Err
	}
	view := program.GroupView{State: answer.State, Members: len(answer.Members)}
	for _, member := range answer.Members {
		assignment, err := member.GetMemberAssignment()
		if err != nil {
			return view, err
		}
		if assignment != nil {
			for _, partitions := range assignment.Topics {
				view.Assigned = append(view.Assigned, partitions...)
			}
		}
	}
	return view, nil
}

func (c *client) ListGroups() ([]string, error) {
	listed, err := c.admin.ListConsumerGroups()
	groups := []string{}
	for group := range listed {
		groups = append(groups, group)
	}
	return groups, err
}

func (c *client) DeleteGroup(group string) error {
	return c.admin.DeleteConsumerGroup(group)
}

func (c *client) DeleteRecords(topic string, partition int32, before int64) error {
	return c.admin.DeleteRecords(topic, map[int32]int64{partition: before})
}

func (c *client) PartitionsOf(records []program.Record, partitions int32) ([]int32, error) {
	partitioner := sarama.NewHashPartitioner("any")
	result := []int32{}
	for _, message := range messages(program.Arguments{Records: records}) {
		chosen, err := partitioner.Partition(message, partitions)
		if err != nil {
			return nil, err
		}
		result = append(result, chosen)
	}
	return result, nil
}

type traveller struct {
	*client
	consumer   sarama.Consumer
	topic      string
	partitions []sarama.PartitionConsumer
}

func (c *client) Travel(topic string, partitions int32) (program.Traveller, error) {
	consumer, err := sarama.NewConsumerFromClient(c.client)
	if err != nil {
		return nil, err
	}
	t := &traveller{client: c, consumer: consumer, topic: topic}
	for partition := range partitions {
		started, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		t.partitions = append(t.partitions, started)
	}
	return t, nil
}

func (t *traveller) Read(count int) ([]program.Position, error) {
	choices := []reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(t.ctx.Done())},
	}
	for _, partition := range t.partitions {
		messages := reflect.ValueOf(partition.Messages())
		choices = append(choices, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: messages})
	}
	read := []program.Position{}
	for len(read) < count {
		chosen, received, _ := reflect.Select(choices)
		if chosen == 0 {
			return nil, fmt.Errorf("%d of %d records: %w", len(read), count, t.ctx.Err())
		}
		message := received.Interface().(*sarama.ConsumerMessage)
		read = append(read, program.Position{int64(message.Partition), message.Offset})
	}
	return read, nil
}

func (t *traveller) SeekTo(offset int64) error {
	if err := t.partitions[0].Close(); err != nil {
		return err
	}
	var err error
	t.partitions[0], err = t.consumer.ConsumePartition(t.topic, 0, offset)
	return err
}

func (t *traveller) Pause(partition int32) error {
	t.partitions[partition].Pause()
	return nil
}

func (t *traveller) Resume(partition int32) error {
	t.partitions[partition].Resume()
	return nil
}

func (c *client) Member(m program.Membership) error {
	strategies := map[string]sarama.BalanceStrategy{
		"range":              sarama.NewBalanceStrategyRange(),
		"cooperative-sticky": sarama.NewBalanceStrategyCooperativeSticky(),
	}
	config := settings()
	config.Consumer.Group.InstanceId = m.Instance
	config.Consumer.Group.Session.Timeout = program.SessionTimeout
	config.Consumer.Group.Heartbeat.Interval = program.HeartbeatInterval
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{
		strategies[m.Assignor],
	}
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
	group, err := sarama.NewConsumerGroup(c.bootstrap, m.Group, config)
	if err != nil {
		return err
	}
	go func() {
		for err := range group.Errors() {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	consuming, stop := context.WithCancel(context.Background())
	go func() {
		<-m.Stopping
		stop()
	}()
	for consuming.Err() == nil {
		if err := group.Consume(consuming, []string{m.Topic}, handler{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return group.Close()
}

// handler reads one partition in each call of ConsumeClaim; the library commits what is marked.
type handler struct{}

func (handler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (handler) ConsumeClaim(
	session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim,
) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			program.TellRead([]program.Position{{int64(message.Partition), message.Offset}})
			session.MarkMessage(message, "")
		case <-session.Context().Done():
			return nil
		}
	}
}
