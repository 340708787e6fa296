import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/** One consumer from the beginning of all partitions, going through the steps of a test. */
class Journey {
    private final Operations operations;
    private final JsonNode question;
    private final String topic;
    private final TopicPartition first;

    Journey(Operations operations, JsonNode question) {
        this.operations = operations;
        this.question = question;
        this.topic = Operations.topic(question);
        this.first = new TopicPartition(topic, 0);
    }

    Object reads() throws Exception {
        List<TopicPartition> partitions = new ArrayList<>();
        for (int number = 0; number < question.get("partitions").asInt(); number++) {
            partitions.add(new TopicPartition(topic, number));
        }
        List<Object> reads = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = operations.traveller()) {
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            for (JsonNode step : question.get("steps")) {
                if (step.get("do").asText().equals("read")) {
                    reads.add(read(consumer, step.get("count").asInt()));
                } else {
                    take(consumer, step);
                }
            }
        }
        return reads;
    }

    private static List<Object> read(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<Object> read = new ArrayList<>();
        long deadline = System.currentTimeMillis() + Program.TIMEOUT_MS;
        while (read.size() < count) {
            if (System.currentTimeMillis() > deadline) {
                throw new IllegalStateException(read.size() + " of " + count + " records");
            }
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                read.add(List.of(record.partition(), record.offset()));
            }
        }
        return read;
    }

    private void take(KafkaConsumer<byte[], byte[]> consumer, JsonNode step) throws Exception {
        TopicPartition chosen = new TopicPartition(topic, step.path("partition").asInt(0));
        switch (step.get("do").asText()) {
            case "seek":
                consumer.seek(first, step.get("to").asLong());
                break;
            case "seek_beginning":
                consumer.seekToBeginning(List.of(first));
                break;
            case "seek_end":
                consumer.seekToEnd(List.of(first));
                consumer.position(first); // the seek itself is lazy
                break;
            case "seek_time":
                Map<TopicPartition, Long> times = Map.of(first, step.get("to").asLong());
                consumer.seek(first, consumer.offsetsForTimes(times).get(first).offset());
                break;
            case "pause":
                consumer.pause(List.of(chosen));
                break;
            case "resume":
                consumer.resume(List.of(chosen));
                break;
            case "produce":
                operations.produceEmpty(topic, chosen.partition(), step.get("count").asInt());
                break;
            default:
                throw new IllegalArgumentException("no step " + step);
        }
    }
}
