package interop;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * Runs a topology by name: {@code --topology T --application ID --bootstrap HOST:PORT --state FOLDER --in TOPIC [--in2 TOPIC]
 * --out TOPIC [--set key=value]..}. Prints its description, `RUNNING` whenever it is, and ends on SIGTERM with everything committed.
 */
public final class Application {
    private Application() { }

    public static void main(String[] words) throws InterruptedException {
        Arguments arguments = new Arguments(words);
        Topology topology = Topologies.build(arguments).build();
        System.out.println(topology.describe());
        KafkaStreams streams = new KafkaStreams(topology, settings(arguments));
        streams.setStateListener((now, before) -> System.out.println(now));
        streams.setUncaughtExceptionHandler(cause -> {
            cause.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(30));
            System.out.println("CLOSED");
            ended.countDown();
        }));
        streams.start();
        ended.await();
    }

    private static Properties settings(Arguments arguments) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments.get("application"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments.get("bootstrap"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments.get("state"));
        // Every update goes out, and soon.
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        settings.putAll(arguments.set);
        return settings;
    }
}
