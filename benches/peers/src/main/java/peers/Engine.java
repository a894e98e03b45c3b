package peers;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * The measured process: it runs a workload's topology from the start of its input, says {@code STATE RUNNING} once it works, and goes
 * on until it is told to end. What is not set here is as Kafka Streams ships it.
 */
public final class Engine {
    private static final Duration CLOSE = Duration.ofSeconds(25);

    private Engine() {
    }

    public static void main(String[] words) throws InterruptedException {
        Arguments arguments = new Arguments(words);
        KafkaStreams streams = new KafkaStreams(Topologies.build(arguments), properties(arguments));
        CountDownLatch runs = new CountDownLatch(1);
        AtomicLong restored = new AtomicLong();
        streams.setGlobalStateRestoreListener(new Restored(restored));
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                runs.countDown();
            }
        });
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(CLOSE)));
        streams.start();
        runs.await();
        System.out.println("STATE RUNNING restored=" + restored.get());
        System.out.flush();
    }

    private static Properties properties(Arguments arguments) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments.get("app-id"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments.get("bootstrap"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, arguments.get("state-dir"));
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments.get("threads"));
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, arguments.get("guarantee"));
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, arguments.get("cache"));
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, arguments.get("commit-interval"));
        properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
        properties.put("main.consumer.auto.offset.reset", "earliest");
        properties.putAll(arguments.set);
        return properties;
    }

    /** Says when it begins, and counts what is restored. */
    private static final class Restored implements StateRestoreListener {
        private final AtomicLong count;
        private final AtomicBoolean begun = new AtomicBoolean();

        Restored(AtomicLong count) {
            this.count = count;
        }

        @Override
        public void onRestoreStart(TopicPartition partition, String store, long start, long end) {
            // Before it, an engine that starts anew waits for its group to miss the one that ended.
            if (begun.compareAndSet(false, true)) {
                System.out.println("STATE RESTORING");
            }
        }

        @Override
        public void onBatchRestored(TopicPartition partition, String store, long end, long records) {
            count.addAndGet(records);
        }

        @Override
        public void onRestoreEnd(TopicPartition partition, String store, long total) {
        }
    }
}
