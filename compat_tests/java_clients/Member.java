import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.errors.RebalanceInProgressException;

/** A member of a group: it prints what it read and whether the commit after it was taken. */
class Member {
    private static volatile boolean stopping;
    private static boolean uncommitted;

    static final Map<String, Class<?>> ASSIGNORS = Map.of(
            "range", RangeAssignor.class,
            "roundrobin", RoundRobinAssignor.class,
            "sticky", StickyAssignor.class,
            "cooperative-sticky", CooperativeStickyAssignor.class);

    static Properties settings(String bootstrap, String group, String assignor, String instance) {
        Properties settings = Operations.consumerSettings(bootstrap);
        settings.put("group.id", group);
        settings.put("auto.offset.reset", "earliest");
        settings.put("session.timeout.ms", "6000");
        settings.put("heartbeat.interval.ms", "500");
        settings.put("partition.assignment.strategy", ASSIGNORS.get(assignor).getName());
        if (instance != null) {
            settings.put("group.instance.id", instance);
        }
        return settings;
    }

    static void live(String bootstrap, String group, String topic, String assignor, String instance)
            throws InterruptedException {
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            stopping = true;
            try {
                ended.await();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }));
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings(bootstrap, group, assignor, instance))) {
            consumer.subscribe(List.of(topic));
            while (!stopping || uncommitted) {
                step(consumer);
            }
        } catch (RuntimeException failure) {
            failure.printStackTrace();
        } finally {
            ended.countDown();
        }
    }

    /** What was read and could not be committed while the group rebalanced is tried again. */
    private static void step(KafkaConsumer<byte[], byte[]> consumer) {
        List<List<Object>> read = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
            read.add(List.of(record.partition(), record.offset()));
        }
        if (!read.isEmpty()) {
            Program.say(Map.of("read", read));
            uncommitted = true;
        }
        if (uncommitted) {
            commit(consumer);
        }
    }

    private static void commit(KafkaConsumer<byte[], byte[]> consumer) {
        try {
            consumer.commitSync();
            Program.say(Map.of("committed", true));
            uncommitted = false;
        } catch (RebalanceInProgressException later) {
            System.err.println(later);
            Program.say(Map.of("committed", false));
        } catch (CommitFailedException refused) {
            System.err.println(refused);
            Program.say(Map.of("committed", false));
            uncommitted = false;
        }
    }
}
