// franz-go's kgo and kadm for the shared suite.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"godel.invalid/compat/program"
)

func main() {
	program.Run(connect, func(err error) (int, bool) {
		var refused *kerr.Error
		if errors.As(err, &refused) {
			return int(refused.Code), true
		}
		return 0, false
	})
}

type client struct {
	bootstrap string
	admin     *kadm.Client
	ctx       context.Context
}

func connect(ctx context.Context, bootstrap string) (program.Client, error) {
	c := &client{bootstrap: bootstrap, ctx: ctx}
	connection, err := c.open()
	if err != nil {
		return nil, err
	}
	c.admin = kadm.NewClient(connection)
	return c, nil
}

func (c *client) open(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.bootstrap),
		kgo.MetadataMinAge(100 * time.Millisecond),
	}, options...)...)
}

func pointers(configs map[string]string) map[string]*string {
	result := map[string]*string{}
	for key, value := range configs {
		result[key] = &value
	}
	return result
}

func (c *client) CreateTopic(a program.Arguments) error {
	_, err := c.admin.CreateTopic(
		c.ctx, a.Partitions, a.ReplicationFactor, pointers(a.Configs), a.Topic)
	return err
}

func (c *client) DeleteTopic(topic string) error {
	_, err := c.admin.DeleteTopic(c.ctx, topic)
	return err
}

func (c *client) AddPartitions(topic string, total int32) error {
	answers, err := c.admin.UpdatePartitions(c.ctx, int(total), topic)
	return errors.Join(err, answers.Error())
}

func (c *client) Topics() (map[string]int, error) {
	listed, err := c.admin.ListTopics(c.ctx)
	topics := map[string]int{}
	for name, topic := range listed {
		topics[name] = len(topic.Partitions)
	}
	return topics, err
}

func (c *client) Configs(topic string) (map[string]*string, error) {
	answers, err := c.admin.DescribeTopicConfigs(c.ctx, topic)
	configs := map[string]*string{}
	for _, answer := range answers {
		err = errors.Join(err, answer.Err)
		for _, config := range answer.Configs {
			configs[config.Key] = config.Value
		}
	}
	return configs, err
}

func (c *client) AlterConfigs(topic string, configs map[string]string) error {
	var changes []kadm.AlterConfig
	for key, value := range pointers(configs) {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: value})
	}
	answers, err := c.admin.AlterTopicConfigs(c.ctx, changes, topic)
	for _, answer := range answers {
		err = errors.Join(err, answer.Err)
	}
	return err
}

var codecs = map[string]kgo.CompressionCodec{
	"":       kgo.NoCompression(),
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func (c *client) Produce(a program.Arguments) ([]program.Position, error) {
	options := []kgo.Opt{
		kgo.ProducerBatchCompression(codecs[a.Codec]),
		kgo.UnknownTopicRetries(1),
		kgo.ProducerBatchMaxBytes(int32(batchLimit(a.Records))),
		kgo.MaxBufferedRecords(len(a.Records) + 1),
	}
	if !a.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	if a.Partition != nil {
		options = append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	producer, err := c.open(options...)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	results := producer.ProduceSync(c.ctx, records(a)...)
	if err := results.FirstErr(); err != nil {
		return nil, err
	}
	positions := make([]program.Position, len(results))
	for _, result := range results {
		// The results come as they were answered; the record's context says which it was.
		number := result.Record.Context.Value(numberKey{}).(int)
		positions[number] = positionOf(result.Record)
	}
	return positions, nil
}

// batchLimit is the library's default, or more where a record would not be sent at all.
func batchLimit(records []program.Record) int {
	limit := 1_000_012
	for _, record := range records {
		limit = max(limit, len(record.Value)+1000)
	}
	return limit
}

type numberKey struct{}

func records(a program.Arguments) []*kgo.Record {
	result := make([]*kgo.Record, len(a.Records))
	for number, given := range a.Records {
		record := &kgo.Record{
			Topic:   a.Topic,
			Key:     given.Key,
			Value:   given.Value,
			Context: context.WithValue(context.Background(), numberKey{}, number),
		}
		if given.TimestampMs != nil {
			record.Timestamp = time.UnixMilli(*given.TimestampMs)
		}
		if a.Partition != nil {
			record.Partition = *a.Partition
		}
		for _, header := range given.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Key, Value: header.Value})
		}
		result[number] = record
	}
	return result
}

func positionOf(record *kgo.Record) program.Position {
	return program.Position{int64(record.Partition), record.Offset}
}

func (c *client) Consume(
	topic string, partition int32, at int64, count int,
) ([]program.Record, error) {
	start := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(at)}}
	consumer, err := c.open(
		kgo.ConsumePartitions(start), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	records := []program.Record{}
	for len(records) < count {
		fetches := consumer.PollRecords(c.ctx, count-len(records))
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		for _, record := range fetches.Records() {
			if expected := at + int64(len(records)); record.Offset != expected {
				return nil, fmt.Errorf("offset %d instead of %d", record.Offset, expected)
			}
			read := program.Record{Key: record.Key, Value: record.Value}
			for _, header := range record.Headers {
				read.Headers = append(read.Headers, program.Header{Key: header.Key, Value: header.Value})
			}
			records = append(records, read)
		}
	}
	return records, nil
}

func (c *client) Offset(topic string, partition int32, timestampMs int64) (int64, error) {
	var listed kadm.ListedOffsets
	var err error
	switch timestampMs {
	case program.Earliest:
		listed, err = c.admin.ListStartOffsets(c.ctx, topic)
	case program.Latest:
		listed, err = c.admin.ListEndOffsets(c.ctx, topic)
	default:
		listed, err = c.admin.ListOffsetsAfterMilli(c.ctx, timestampMs, topic)
	}
	if err != nil {
		return 0, err
	}
	found, _ := listed.Lookup(topic, partition)
	if timestampMs >= 0 && found.Timestamp < 0 {
		return -1, found.Err // kadm gives the end where no record is late enough
	}
	return found.Offset, found.Err
}

func (c *client) Commit(group, topic string, offset int64, metadata string) error {
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, At: offset, LeaderEpoch: -1, Metadata: metadata})
	return c.admin.CommitAllOffsets(c.ctx, group, offsets)
}

func (c *client) Committed(
	group, topic string, partitions []int32,
) ([]program.Committed, error) {
	found, err := c.admin.FetchOffsets(c.ctx, group)
	if err != nil {
		return nil, err
	}
	committed := []program.Committed{}
	for _, partition := range partitions {
		at, there := found.Lookup(topic, partition)
		if !there {
			at.At = -1
		}
		committed = append(committed, program.Committed{Offset: at.At, Metadata: at.Metadata})
	}
	return committed, found.Error()
}

func (c *client) CommitStale(group, topic string, generation int32) error {
	described, err := c.admin.DescribeGroups(c.ctx, group)
	if err != nil {
		return err
	}
	partition := kmsg.NewOffsetCommitRequestTopicPartition()
	wanted := kmsg.NewOffsetCommitRequestTopic()
	wanted.Topic = topic
	wanted.Partitions = append(wanted.Partitions, partition)
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group = group
	request.Generation = generation
	request.MemberID = described[group].Members[0].MemberID
	request.Topics = append(request.Topics, wanted)
	// By name: version 10 would want the topic's id.
	connection, err := c.open(kgo.MaxVersions(kversion.V3_7_0()))
	if err != nil {
		return err
	}
	defer connection.Close()
	answer, err := request.RequestWith(c.ctx, connection)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
}

func (c *client) DescribeGroup(group string) (program.GroupView, error) {
	described, err := c.admin.DescribeGroups(c.ctx, group)
	if err != nil {
		return program.GroupView{}, err
	}
	answer := described[group]
	view := program.GroupView{State: answer.State, Members: len(answer.Members)}
	for _, member := range answer.Members {
		if assignment, ok := member.Assigned.AsConsumer(); ok {
			for _, topic := range assignment.Topics {
				view.Assigned = append(view.Assigned, topic.Partitions...)
			}
		}
	}
	return view, answer.Err
}

func (c *client) ListGroups() ([]string, error) {
	listed, err := c.admin.ListGroups(c.ctx)
	return listed.Groups(), err
}

func (c *client) DeleteGroup(group string) error {
	_, err := c.admin.DeleteGroup(c.ctx, group)
	return err
}

func (c *client) DeleteRecords(topic string, partition int32, before int64) error {
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, partition, before, -1)
	answers, err := c.admin.DeleteRecords(c.ctx, offsets)
	return errors.Join(err, answers.Error())
}

func (c *client) PartitionsOf(records []program.Record, partitions int32) ([]int32, error) {
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic("any")
	result := []int32{}
	for _, record := range records {
		chosen := partitioner.Partition(&kgo.Record{Key: record.Key}, int(partitions))
		result = append(result, int32(chosen))
	}
	return result, nil
}

type traveller struct {
	*client
	consumer *kgo.Client
	topic    string
}

func (c *client) Travel(topic string, partitions int32) (program.Traveller, error) {
	starts := map[int32]kgo.Offset{}
	for partition := range partitions {
		starts[partition] = kgo.NewOffset().AtStart()
	}
	consumer, err := c.open(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))
	return &traveller{c, consumer, topic}, err
}

func (t *traveller) Read(count int) ([]program.Position, error) {
	read := []program.Position{}
	for len(read) < count {
		fetches := t.consumer.PollRecords(t.ctx, count-len(read))
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		for _, record := range fetches.Records() {
			read = append(read, positionOf(record))
		}
	}
	return read, nil
}

func (t *traveller) SeekTo(offset int64) error {
	t.consumer.SetOffsets(map[string]map[int32]kgo.EpochOffset{
		t.topic: {0: {Epoch: -1, Offset: offset}},
	})
	return nil
}

func (t *traveller) Pause(partition int32) error {
	t.consumer.PauseFetchPartitions(map[string][]int32{t.topic: {partition}})
	return nil
}

func (t *traveller) Resume(partition int32) error {
	t.consumer.ResumeFetchPartitions(map[string][]int32{t.topic: {partition}})
	return nil
}

var balancers = map[string]kgo.GroupBalancer{
	"range":              kgo.RangeBalancer(),
	"cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

func (c *client) Member(m program.Membership) error {
	options := []kgo.Opt{
		kgo.ConsumerGroup(m.Group),
		kgo.ConsumeTopics(m.Topic),
		kgo.Balancers(balancers[m.Assignor]),
		kgo.SessionTimeout(program.SessionTimeout),
		kgo.HeartbeatInterval(program.HeartbeatInterval),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
	}
	if m.Instance != "" {
		options = append(options, kgo.InstanceID(m.Instance))
	}
	consumer, err := c.open(options...)
	if err != nil {
		return err
	}
	defer consumer.CloseAllowingRebalance()
	polling, stop := context.WithCancel(context.Background())
	go func() {
		<-m.Stopping
		stop()
	}()
	for polling.Err() == nil {
		readAndCommit(polling, consumer)
		consumer.AllowRebalance()
	}
	return nil
}

func readAndCommit(polling context.Context, consumer *kgo.Client) {
	fetches := consumer.PollRecords(polling, 500)
	records := fetches.Records()
	if len(records) == 0 {
		return
	}
	read := []program.Position{}
	for _, record := range records {
		read = append(read, positionOf(record))
	}
	program.TellRead(read)
	program.TellCommitted(consumer.CommitUncommittedOffsets(context.Background()))
}
