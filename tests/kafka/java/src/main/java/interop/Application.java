package interop;

import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * One application: {@code --topology T --application ID --bootstrap HOST:PORT --state FOLDER --in TOPIC [--in2 TOPIC] --out TOPIC
 * [--set key=value]..}. What it prints begins with its id: its description, `RUNNING` whenever it is, and `CLOSED` when it has ended
 * with everything committed.
 */
final class Application {
    private final String id;
    private final KafkaStreams streams;

    Application(Arguments arguments) {
        id = arguments.get("application");
        Topology topology = Topologies.build(arguments).build();
        topology.describe().toString().lines().forEach(this::say);
        streams = new KafkaStreams(topology, settings(arguments));
        streams.setStateListener((now, before) -> say(now.toString()));
        streams.setUncaughtExceptionHandler(cause -> {
            cause.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
    }

    void stop() {
        streams.close(Duration.ofSeconds(30));
        say("CLOSED");
    }

    private void say(String line) {
        System.out.println(id + " " + line);
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
