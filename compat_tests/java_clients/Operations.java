import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeTopicsResult;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;

/** What the tests ask for, in the order of client.Client and programs.ProgramClient. */
class Operations implements AutoCloseable {
    private final String bootstrap;
    private final Admin admin;
    private KafkaProducer<byte[], byte[]> held;
    private KafkaConsumer<byte[], byte[]> seated;
    private TopicPartition seat;

    Operations(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(common(bootstrap));
    }

    private static Properties common(String bootstrap) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("default.api.timeout.ms", Long.toString(Program.TIMEOUT_MS));
        settings.put("request.timeout.ms", "15000");
        return settings;
    }

    static Properties consumerSettings(String bootstrap) {
        Properties settings = common(bootstrap);
        settings.put("key.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("value.deserializer", ByteArrayDeserializer.class.getName());
        settings.put("enable.auto.commit", "false");
        settings.put("allow.auto.create.topics", "false");
        settings.put("auto.offset.reset", "none");
        return settings;
    }

    private KafkaConsumer<byte[], byte[]> consumer(String... more) {
        Properties settings = consumerSettings(bootstrap);
        for (int at = 0; at < more.length; at += 2) {
            settings.put(more[at], more[at + 1]);
        }
        return new KafkaConsumer<>(settings);
    }

    private KafkaProducer<byte[], byte[]> producer(String codec, boolean idempotent) {
        Properties settings = common(bootstrap);
        settings.put("key.serializer", ByteArraySerializer.class.getName());
        settings.put("value.serializer", ByteArraySerializer.class.getName());
        settings.put("acks", "all");
        settings.put("compression.type", codec);
        settings.put("enable.idempotence", Boolean.toString(idempotent));
        settings.put("max.request.size", Integer.toString(8 << 20));
        settings.put("delivery.timeout.ms", Long.toString(Program.TIMEOUT_MS));
        settings.put("max.block.ms", Long.toString(Program.TIMEOUT_MS));
        return new KafkaProducer<>(settings);
    }

    @Override
    public void close() {
        admin.close(Duration.ofSeconds(5));
    }

    Object answer(JsonNode question) throws Exception {
        switch (question.get("op").asText()) {
            case "create_topic": return createTopic(question);
            case "delete_topic": return done(admin.deleteTopics(List.of(topic(question))).all());
            case "add_partitions": return addPartitions(question);
            case "topics": return topics();
            case "describe_topic": return describeTopic(topic(question));
            case "configs": return configs(topic(question));
            case "alter_config": return alterConfig(question);
            case "produce": return produce(question);
            case "consume": return consume(question);
            case "watermarks": return watermarks(partition(question));
            case "offset_for_time": return offsetForTime(question);
            case "commit": return commit(question);
            case "committed": return committed(question);
            case "describe_group": return describeGroup(group(question));
            case "list_groups": return listGroups();
            case "delete_group":
                return done(admin.deleteConsumerGroups(List.of(group(question))).all());
            case "delete_records": return deleteRecords(question);
            case "partitions_of": return partitionsOf(question);
            case "journey": return new Journey(this, question).reads();
            case "hold_producer":
                held = producer("none", question.get("idempotent").asBoolean());
                return null;
            case "send_held": return send(held, question);
            case "close_held":
                held.close(Duration.ofSeconds(5));
                return null;
            case "sit_down": return sitDown(question);
            case "commit_seated":
                // By name: of a partition whose position it has not asked for yet it commits nothing.
                seated.commitSync(Map.of(seat, new OffsetAndMetadata(0)));
                return null;
            case "poll_seated": return seated.poll(Duration.ofMillis(100)).count();
            case "stand_up":
                seated.close(Duration.ofSeconds(5));
                return null;
            case "remove_members":
                return done(admin.removeMembersFromConsumerGroup(
                        group(question), new RemoveMembersFromConsumerGroupOptions()).all());
            case "move_offset": return moveOffset(question);
            case "forget_offset":
                return done(admin.deleteConsumerGroupOffsets(
                        group(question), Set.of(partition(question))).all());
            case "cluster": return cluster();
            case "leaders": return leaders(topic(question));
            case "list_offsets": return listOffsets(partition(question));
            case "validate_topic":
                return done(admin.createTopics(
                        List.of(new NewTopic(topic(question), 2, (short) 1)),
                        new CreateTopicsOptions().validateOnly(true)).all());
            default: throw new IllegalArgumentException("no operation " + question);
        }
    }

    static String topic(JsonNode question) {
        return question.get("topic").asText();
    }

    private static String group(JsonNode question) {
        return question.get("group").asText();
    }

    private static TopicPartition partition(JsonNode question) {
        return new TopicPartition(topic(question), question.path("partition").asInt(0));
    }

    private static Object done(Future<?> result) throws Exception {
        result.get();
        return null;
    }

    private static byte[] bytes(JsonNode text) {
        return text == null || text.isNull() ? null : Base64.getDecoder().decode(text.asText());
    }

    private static String text(byte[] data) {
        return data == null ? null : Base64.getEncoder().encodeToString(data);
    }

    // -- topics -------------------------------------------------------------------------------

    private Object createTopic(JsonNode question) throws Exception {
        Map<String, String> configs = new HashMap<>();
        for (Iterator<Map.Entry<String, JsonNode>> at = question.get("configs").fields();
                at.hasNext(); ) {
            Map.Entry<String, JsonNode> entry = at.next();
            configs.put(entry.getKey(), entry.getValue().asText());
        }
        NewTopic wanted = new NewTopic(
                topic(question),
                question.get("partitions").asInt(),
                (short) question.get("replication_factor").asInt());
        return done(admin.createTopics(List.of(wanted.configs(configs))).all());
    }

    private Object addPartitions(JsonNode question) throws Exception {
        NewPartitions total = NewPartitions.increaseTo(question.get("partitions").asInt());
        return done(admin.createPartitions(Map.of(topic(question), total)).all());
    }

    private Map<String, Integer> topics() {
        Map<String, Integer> found = new LinkedHashMap<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            for (Map.Entry<String, List<PartitionInfo>> entry : consumer.listTopics().entrySet()) {
                found.put(entry.getKey(), entry.getValue().size());
            }
        }
        return found;
    }

    /** values() is gone in 4.0, topicNameValues() came in 3.1. */
    @SuppressWarnings("unchecked")
    private TopicDescription description(String topic) throws Exception {
        String method = Arrays.stream(DescribeTopicsResult.class.getMethods())
                .map(java.lang.reflect.Method::getName)
                .anyMatch("topicNameValues"::equals) ? "topicNameValues" : "values";
        DescribeTopicsResult result = admin.describeTopics(List.of(topic));
        Object futures = DescribeTopicsResult.class.getMethod(method).invoke(result);
        return ((Map<String, KafkaFuture<TopicDescription>>) futures).get(topic).get();
    }

    private Object describeTopic(String topic) throws Exception {
        TopicDescription description = description(topic);
        List<List<Object>> partitions = new ArrayList<>();
        description.partitions().forEach(partition -> partitions.add(List.of(
                partition.partition(), partition.leader().id(),
                partition.replicas().size(), partition.isr().size())));
        return partitions;
    }

    private static ConfigResource resource(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    private Object configs(String topic) throws Exception {
        Map<String, String> found = new LinkedHashMap<>();
        admin.describeConfigs(List.of(resource(topic))).all().get().get(resource(topic)).entries()
                .forEach(entry -> found.put(entry.name(), entry.value()));
        return found;
    }

    private Object alterConfig(JsonNode question) throws Exception {
        Collection<AlterConfigOp> changes = new ArrayList<>();
        for (Iterator<Map.Entry<String, JsonNode>> at = question.get("configs").fields();
                at.hasNext(); ) {
            Map.Entry<String, JsonNode> entry = at.next();
            changes.add(new AlterConfigOp(
                    new ConfigEntry(entry.getKey(), entry.getValue().asText()),
                    AlterConfigOp.OpType.SET));
        }
        return done(admin.incrementalAlterConfigs(
                Map.of(resource(topic(question)), changes)).all());
    }

    private Object deleteRecords(JsonNode question) throws Exception {
        RecordsToDelete before = RecordsToDelete.beforeOffset(question.get("at").asLong());
        return done(admin.deleteRecords(Map.of(partition(question), before)).all());
    }

    // -- records ------------------------------------------------------------------------------

    private Object produce(JsonNode question) throws Exception {
        boolean idempotent = question.get("idempotent").asBoolean();
        try (KafkaProducer<byte[], byte[]> producer =
                producer(question.get("codec").asText(), idempotent)) {
            return send(producer, question);
        }
    }

    private static Object send(KafkaProducer<byte[], byte[]> producer, JsonNode question)
            throws Exception {
        JsonNode place = question.get("partition");
        Integer partition = place == null || place.isNull() ? null : place.asInt();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : question.get("records")) {
            sent.add(producer.send(record(topic(question), partition, record)));
        }
        List<List<Object>> landed = new ArrayList<>();
        for (Future<RecordMetadata> future : sent) {
            RecordMetadata metadata = future.get();
            landed.add(List.of(metadata.partition(), metadata.offset()));
        }
        return landed;
    }

    private static ProducerRecord<byte[], byte[]> record(
            String topic, Integer partition, JsonNode record) {
        List<Header> headers = new ArrayList<>();
        for (JsonNode header : record.get("headers")) {
            headers.add(new RecordHeader(header.get("key").asText(), bytes(header.get("value"))));
        }
        JsonNode time = record.get("timestamp_ms");
        Long timestamp = time == null || time.isNull() ? null : time.asLong();
        return new ProducerRecord<>(topic, partition, timestamp,
                bytes(record.get("key")), bytes(record.get("value")), headers);
    }

    void produceEmpty(String topic, int partition, int count) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer("none", false)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int number = 0; number < count; number++) {
                sent.add(producer.send(new ProducerRecord<>(topic, partition, null, null)));
            }
            for (Future<RecordMetadata> future : sent) {
                future.get();
            }
        }
    }

    private Object consume(JsonNode question) {
        TopicPartition partition = partition(question);
        int count = question.get("count").asInt();
        List<Object> found = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, question.get("at").asLong());
            long deadline = System.currentTimeMillis() + Program.TIMEOUT_MS;
            while (found.size() < count) {
                if (System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException(found.size() + " of " + count + " records");
                }
                consumer.poll(Duration.ofMillis(200)).forEach(record -> found.add(fields(record)));
            }
        }
        return found.subList(0, count);
    }

    private static Map<String, Object> fields(ConsumerRecord<byte[], byte[]> record) {
        List<Object> headers = new ArrayList<>();
        for (Header header : record.headers()) {
            Map<String, Object> pair = new HashMap<>();
            pair.put("key", header.key());
            pair.put("value", text(header.value()));
            headers.add(pair);
        }
        Map<String, Object> fields = new HashMap<>();
        fields.put("value", text(record.value()));
        fields.put("key", text(record.key()));
        fields.put("headers", headers);
        return fields;
    }

    private static Object partitionsOf(JsonNode question) {
        List<Integer> chosen = new ArrayList<>();
        int partitions = question.get("partitions").asInt();
        for (JsonNode record : question.get("records")) {
            chosen.add(Utils.toPositive(Utils.murmur2(bytes(record.get("key")))) % partitions);
        }
        return chosen;
    }

    KafkaConsumer<byte[], byte[]> traveller() {
        return consumer("max.poll.records", "1");
    }

    // -- offsets ------------------------------------------------------------------------------

    private Object watermarks(TopicPartition partition) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            return List.of(
                    consumer.beginningOffsets(List.of(partition)).get(partition),
                    consumer.endOffsets(List.of(partition)).get(partition));
        }
    }

    private Object offsetForTime(JsonNode question) {
        TopicPartition partition = new TopicPartition(topic(question), 0);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            var found = consumer.offsetsForTimes(
                    Map.of(partition, question.get("timestamp_ms").asLong())).get(partition);
            return found == null ? -1 : found.offset();
        }
    }

    private Object listOffsets(TopicPartition partition) throws Exception {
        List<Long> found = new ArrayList<>();
        List<OffsetSpec> wanted = List.of(
                OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.forTimestamp(0));
        for (OffsetSpec spec : wanted) {
            var listed = admin.listOffsets(Map.of(partition, spec)).all().get();
            found.add(listed.get(partition).offset());
        }
        return found;
    }

    private Object commit(JsonNode question) {
        OffsetAndMetadata offset = new OffsetAndMetadata(
                question.get("at").asLong(), question.get("metadata").asText());
        try (KafkaConsumer<byte[], byte[]> consumer = consumer("group.id", group(question))) {
            consumer.commitSync(Map.of(new TopicPartition(topic(question), 0), offset));
        }
        return null;
    }

    private Object committed(JsonNode question) throws Exception {
        List<TopicPartition> wanted = new ArrayList<>();
        for (JsonNode number : question.get("list")) {
            wanted.add(new TopicPartition(topic(question), number.asInt()));
        }
        Map<TopicPartition, OffsetAndMetadata> found;
        if (question.path("by_admin").asBoolean()) {
            found = admin.listConsumerGroupOffsets(group(question))
                    .partitionsToOffsetAndMetadata().get();
        } else {
            try (KafkaConsumer<byte[], byte[]> consumer = consumer("group.id", group(question))) {
                found = consumer.committed(new HashSet<>(wanted));
            }
        }
        List<Object> answer = new ArrayList<>();
        for (TopicPartition partition : wanted) {
            OffsetAndMetadata at = found.get(partition);
            answer.add(at == null
                    ? Map.of("offset", -1, "metadata", "")
                    : Map.of("offset", at.offset(), "metadata", at.metadata()));
        }
        return answer;
    }

    private Object moveOffset(JsonNode question) throws Exception {
        OffsetAndMetadata offset = new OffsetAndMetadata(question.get("at").asLong());
        return done(admin.alterConsumerGroupOffsets(
                group(question), Map.of(partition(question), offset)).all());
    }

    // -- groups -------------------------------------------------------------------------------

    private Object describeGroup(String group) throws Exception {
        ConsumerGroupDescription description =
                admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        Set<Integer> assigned = new TreeSet<>();
        for (MemberDescription member : description.members()) {
            member.assignment().topicPartitions().forEach(at -> assigned.add(at.partition()));
        }
        return Map.of(
                "state", description.state().toString(),
                "members", description.members().size(),
                "assigned", assigned);
    }

    private Object listGroups() throws Exception {
        List<String> groups = new ArrayList<>();
        admin.listConsumerGroups().all().get().forEach(listing -> groups.add(listing.groupId()));
        return groups;
    }

    /** A member within this process, polled until it has its partitions. */
    private Object sitDown(JsonNode question) {
        JsonNode instance = question.get("instance");
        seated = new KafkaConsumer<>(Member.settings(
                bootstrap, group(question), "range", instance == null ? null : instance.asText()));
        seated.subscribe(List.of(topic(question)));
        seat = new TopicPartition(topic(question), 0);
        long deadline = System.currentTimeMillis() + Program.TIMEOUT_MS;
        while (seated.assignment().isEmpty()) {
            if (System.currentTimeMillis() > deadline) {
                throw new IllegalStateException("no partition was assigned");
            }
            seated.poll(Duration.ofMillis(100));
        }
        return seated.groupMetadata().generationId();
    }

    // -- the cluster --------------------------------------------------------------------------

    private Object cluster() throws Exception {
        var cluster = admin.describeCluster();
        List<Integer> nodes = new ArrayList<>();
        List<Integer> ports = new ArrayList<>();
        for (Node node : cluster.nodes().get()) {
            nodes.add(node.id());
            ports.add(node.port());
        }
        return Map.of(
                "id", cluster.clusterId().get(),
                "controller", cluster.controller().get().id(),
                "nodes", nodes,
                "ports", ports,
                "directories", admin.describeLogDirs(nodes).allDescriptions().get().size(),
                "reassignments", admin.listPartitionReassignments().reassignments().get().size());
    }

    /** What an election answers for a partition whose leader is the right one already. */
    private Object leaders(String topic) throws Exception {
        TopicPartition partition = new TopicPartition(topic, 0);
        Optional<Throwable> refused = admin.electLeaders(ElectionType.PREFERRED, Set.of(partition))
                .partitions().get().get(partition);
        return refused.map(Program::code).orElse(0);
    }
}
