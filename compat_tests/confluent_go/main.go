// confluent-kafka-go for the shared suite, over the librdkafka that the module brings.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"godel.invalid/compat/program"
)

const outOfRange = 1

func main() {
	program.Run(connect, func(err error) (int, bool) {
		var refused kafka.Error
		if !errors.As(err, &refused) {
			return 0, false
		}
		if refused.Code() == kafka.ErrAutoOffsetReset {
			return outOfRange, true
		}
		return int(refused.Code()), refused.Code() > 0
	})
}

type client struct {
	ctx       context.Context
	bootstrap string
	admin     *kafka.AdminClient
}

func connect(ctx context.Context, bootstrap string) (program.Client, error) {
	c := &client{ctx: ctx, bootstrap: bootstrap}
	var err error
	c.admin, err = kafka.NewAdminClient(c.settings(nil))
	return c, err
}

func (c *client) settings(more kafka.ConfigMap) *kafka.ConfigMap {
	settings := kafka.ConfigMap{"bootstrap.servers": c.bootstrap}
	maps.Copy(settings, more)
	return &settings
}

func (c *client) consumer(more kafka.ConfigMap) (*kafka.Consumer, error) {
	settings := kafka.ConfigMap{
		"group.id":           "not-used",
		"enable.auto.commit": false,
		"auto.offset.reset":  "error",
		"fetch.wait.max.ms":  100,
	}
	maps.Copy(settings, more)
	return kafka.NewConsumer(c.settings(settings))
}

// refused is the broker's answer for one resource, if it is an error.
func refused(err error, answer kafka.Error) error {
	if err == nil && answer.Code() != kafka.ErrNoError {
		return answer
	}
	return err
}

func (c *client) CreateTopic(a program.Arguments) error {
	done, err := c.admin.CreateTopics(c.ctx, []kafka.TopicSpecification{{
		Topic:             a.Topic,
		NumPartitions:     int(a.Partitions),
		ReplicationFactor: int(a.ReplicationFactor),
		Config:            a.Configs,
	}})
	if err != nil {
		return err
	}
	return refused(nil, done[0].Error)
}

func (c *client) DeleteTopic(topic string) error {
	done, err := c.admin.DeleteTopics(c.ctx, []string{topic})
	if err != nil {
		return err
	}
	return refused(nil, done[0].Error)
}

func (c *client) AddPartitions(topic string, total int32) error {
	done, err := c.admin.CreatePartitions(c.ctx, []kafka.PartitionsSpecification{
		{Topic: topic, IncreaseTo: int(total)},
	})
	if err != nil {
		return err
	}
	return refused(nil, done[0].Error)
}

func (c *client) Topics() (map[string]int, error) {
	found, err := c.admin.GetMetadata(nil, true, int(program.Timeout.Milliseconds()))
	if err != nil {
		return nil, err
	}
	topics := map[string]int{}
	for name, topic := range found.Topics {
		topics[name] = len(topic.Partitions)
	}
	return topics, nil
}

func (c *client) Configs(topic string) (map[string]*string, error) {
	found, err := c.admin.DescribeConfigs(c.ctx, []kafka.ConfigResource{
		{Type: kafka.ResourceTopic, Name: topic},
	})
	if err != nil {
		return nil, err
	}
	configs := map[string]*string{}
	for key, entry := range found[0].Config {
		configs[key] = &entry.Value
	}
	return configs, refused(nil, found[0].Error)
}

func (c *client) AlterConfigs(topic string, configs map[string]string) error {
	changes := []kafka.ConfigEntry{}
	for key, value := range configs {
		changes = append(changes, kafka.ConfigEntry{
			Name: key, Value: value, IncrementalOperation: kafka.AlterConfigOpTypeSet,
		})
	}
	done, err := c.admin.IncrementalAlterConfigs(c.ctx, []kafka.ConfigResource{
		{Type: kafka.ResourceTopic, Name: topic, Config: changes},
	})
	if err != nil {
		return err
	}
	return refused(nil, done[0].Error)
}

func (c *client) Produce(a program.Arguments) ([]program.Position, error) {
	producer, err := kafka.NewProducer(c.settings(kafka.ConfigMap{
		"acks":               "all",
		"enable.idempotence": a.Idempotent,
		"compression.type":   cmp.Or(a.Codec, "none"),
		"message.max.bytes":  8 << 20,
		"linger.ms":          5,
	}))
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	go func() {
		for range producer.Events() { // else they fill the channel and it waits
		}
	}()
	delivered := make(chan kafka.Event, len(a.Records))
	positions := make([]program.Position, len(a.Records))
	for number, record := range a.Records {
		message := toMessage(a, record)
		message.Opaque = number
		if err := c.enqueued(producer, message, delivered); err != nil {
			return nil, err
		}
	}
	for range a.Records {
		select {
		case event := <-delivered:
			message := event.(*kafka.Message)
			if message.TopicPartition.Error != nil {
				return nil, message.TopicPartition.Error
			}
			positions[message.Opaque.(int)] = program.Position{
				int64(message.TopicPartition.Partition), int64(message.TopicPartition.Offset),
			}
		case <-c.ctx.Done():
			return nil, c.ctx.Err()
		}
	}
	return positions, nil
}

// enqueued waits while the library's own queue is full.
func (c *client) enqueued(
	producer *kafka.Producer, message *kafka.Message, delivered chan kafka.Event,
) error {
	for {
		err := producer.Produce(message, delivered)
		var full kafka.Error
		if !errors.As(err, &full) || full.Code() != kafka.ErrQueueFull {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
}

func toMessage(a program.Arguments, record program.Record) *kafka.Message {
	message := &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &a.Topic, Partition: kafka.PartitionAny},
		Key:            record.Key,
		Value:          record.Value,
	}
	if a.Partition != nil {
		message.TopicPartition.Partition = *a.Partition
	}
	for _, header := range record.Headers {
		message.Headers = append(message.Headers, kafka.Header{Key: header.Key, Value: header.Value})
	}
	if record.TimestampMs != nil {
		message.Timestamp = time.UnixMilli(*record.TimestampMs)
	}
	return message
}

// next is the next record; nil when none came for a moment.
func (c *client) next(consumer *kafka.Consumer) (*kafka.Message, error) {
	if c.ctx.Err() != nil {
		return nil, c.ctx.Err()
	}
	switch event := consumer.Poll(100).(type) {
	case *kafka.Message:
		return event, event.TopicPartition.Error
	case kafka.Error:
		return nil, event
	}
	return nil, nil
}

func (c *client) Consume(
	topic string, partition int32, at int64, count int,
) ([]program.Record, error) {
	consumer, err := c.consumer(nil)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	err = consumer.Assign([]kafka.TopicPartition{place(topic, partition, kafka.Offset(at))})
	if err != nil {
		return nil, err
	}
	records := []program.Record{}
	for len(records) < count {
		message, err := c.next(consumer)
		if err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(records), count, err)
		}
		if message == nil {
			continue
		}
		expected := kafka.Offset(at + int64(len(records)))
		if found := message.TopicPartition.Offset; found != expected {
			return nil, fmt.Errorf("offset %d instead of %d", found, expected)
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

func place(topic string, partition int32, offset kafka.Offset) kafka.TopicPartition {
	return kafka.TopicPartition{Topic: &topic, Partition: partition, Offset: offset}
}

func (c *client) Offset(topic string, partition int32, timestampMs int64) (int64, error) {
	spec := kafka.NewOffsetSpecForTimestamp(timestampMs)
	switch timestampMs {
	case program.Earliest:
		spec = kafka.EarliestOffsetSpec
	case program.Latest:
		spec = kafka.LatestOffsetSpec
	}
	at := place(topic, partition, kafka.OffsetInvalid)
	found, err := c.admin.ListOffsets(c.ctx, map[kafka.TopicPartition]kafka.OffsetSpec{at: spec})
	if err != nil {
		return 0, err
	}
	for _, info := range found.ResultInfos { // one; its key is another pointer to the name
		return int64(info.Offset), refused(nil, info.Error)
	}
	return 0, errors.New("no answer")
}

func (c *client) Commit(group, topic string, offset int64, metadata string) error {
	consumer, err := c.consumer(kafka.ConfigMap{"group.id": group})
	if err != nil {
		return err
	}
	defer consumer.Close()
	at := place(topic, 0, kafka.Offset(offset))
	at.Metadata = &metadata
	_, err = consumer.CommitOffsets([]kafka.TopicPartition{at})
	return err
}

func (c *client) Committed(
	group, topic string, partitions []int32,
) ([]program.Committed, error) {
	consumer, err := c.consumer(kafka.ConfigMap{"group.id": group})
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	places := []kafka.TopicPartition{}
	for _, partition := range partitions {
		places = append(places, place(topic, partition, kafka.OffsetInvalid))
	}
	found, err := consumer.Committed(places, int(program.Timeout.Milliseconds()))
	committed := []program.Committed{}
	for _, at := range found {
		one := program.Committed{Offset: max(int64(at.Offset), -1)}
		if at.Metadata != nil {
			one.Metadata = *at.Metadata
		}
		committed = append(committed, one)
	}
	return committed, err
}

func (c *client) CommitStale(group, topic string, generation int32) error {
	return errors.New("the library tells no other generation than its own")
}

func (c *client) DescribeGroup(group string) (program.GroupView, error) {
	found, err := c.admin.DescribeConsumerGroups(c.ctx, []string{group})
	if err != nil {
		return program.GroupView{}, err
	}
	description := found.ConsumerGroupDescriptions[0]
	if err := refused(nil, description.Error); err != nil {
		return program.GroupView{}, err
	}
	view := program.GroupView{
		State: description.State.String(), Members: len(description.Members),
	}
	for _, member := range description.Members {
		for _, at := range member.Assignment.TopicPartitions {
			view.Assigned = append(view.Assigned, at.Partition)
		}
	}
	return view, nil
}

func (c *client) ListGroups() ([]string, error) {
	found, err := c.admin.ListConsumerGroups(c.ctx)
	groups := []string{}
	for _, listing := range found.Valid {
		groups = append(groups, listing.GroupID)
	}
	return groups, err
}

func (c *client) DeleteGroup(group string) error {
	done, err := c.admin.DeleteConsumerGroups(c.ctx, []string{group})
	if err != nil {
		return err
	}
	return refused(nil, done.ConsumerGroupResults[0].Error)
}

func (c *client) DeleteRecords(topic string, partition int32, before int64) error {
	at := place(topic, partition, kafka.Offset(before))
	done, err := c.admin.DeleteRecords(c.ctx, []kafka.TopicPartition{at})
	if err != nil {
		return err
	}
	return done.DeleteRecordsResults[0].TopicPartition.Error
}

func (c *client) PartitionsOf(records []program.Record, partitions int32) ([]int32, error) {
	return nil, errors.New("the library does not tell what its partitioner would choose")
}

type traveller struct {
	*client
	consumer *kafka.Consumer
	topic    string
}

func (c *client) Travel(topic string, partitions int32) (program.Traveller, error) {
	consumer, err := c.consumer(nil)
	if err != nil {
		return nil, err
	}
	places := []kafka.TopicPartition{}
	for partition := range partitions {
		places = append(places, place(topic, partition, kafka.OffsetBeginning))
	}
	return &traveller{c, consumer, topic}, consumer.Assign(places)
}

func (t *traveller) Read(count int) ([]program.Position, error) {
	read := []program.Position{}
	for len(read) < count {
		message, err := t.next(t.consumer)
		if err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(read), count, err)
		}
		if message != nil {
			at := message.TopicPartition
			read = append(read, program.Position{int64(at.Partition), int64(at.Offset)})
		}
	}
	return read, nil
}

func (t *traveller) SeekTo(offset int64) error {
	places := []kafka.TopicPartition{place(t.topic, 0, kafka.Offset(offset))}
	_, err := t.consumer.SeekPartitions(places)
	return err
}

func (t *traveller) Pause(partition int32) error {
	return t.consumer.Pause([]kafka.TopicPartition{place(t.topic, partition, kafka.OffsetInvalid)})
}

func (t *traveller) Resume(partition int32) error {
	return t.consumer.Resume([]kafka.TopicPartition{place(t.topic, partition, kafka.OffsetInvalid)})
}

func (c *client) Member(m program.Membership) error {
	settings := kafka.ConfigMap{
		"group.id":                      m.Group,
		"partition.assignment.strategy": m.Assignor,
		"auto.offset.reset":             "earliest",
		"session.timeout.ms":            int(program.SessionTimeout.Milliseconds()),
		"heartbeat.interval.ms":         int(program.HeartbeatInterval.Milliseconds()),
	}
	if m.Instance != "" {
		settings["group.instance.id"] = m.Instance
	}
	consumer, err := c.consumer(settings)
	if err != nil {
		return err
	}
	if err := consumer.Subscribe(m.Topic, nil); err != nil {
		return err
	}
	for {
		select {
		case <-m.Stopping:
			return consumer.Close()
		default:
		}
		read := []program.Position{}
		for message := polled(consumer, 100); message != nil; message = polled(consumer, 0) {
			at := message.TopicPartition
			read = append(read, program.Position{int64(at.Partition), int64(at.Offset)})
		}
		if len(read) > 0 {
			program.TellRead(read)
			_, err := consumer.Commit()
			program.TellCommitted(err)
		}
	}
}

// polled is a record; nil for anything else, as a member lives through errors.
func polled(consumer *kafka.Consumer, timeoutMs int) *kafka.Message {
	message, isMessage := consumer.Poll(timeoutMs).(*kafka.Message)
	if !isMessage || message.TopicPartition.Error != nil {
		return nil
	}
	return message
}
