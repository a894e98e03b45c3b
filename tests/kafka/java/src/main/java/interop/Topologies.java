package interop;

import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/** The topologies that both engines have, by name. Keys are texts, values eight-byte numbers. */
final class Topologies {
    private static final Serde<String> TEXT = Serdes.String();
    private static final Serde<Long> LONG = Serdes.Long();
    private static final Duration SIZE = Duration.ofSeconds(10);
    private static final Duration GRACE = Duration.ofSeconds(5);

    private final StreamsBuilder builder = new StreamsBuilder();
    private final Arguments arguments;

    private Topologies(Arguments arguments) {
        this.arguments = arguments;
    }

    static StreamsBuilder build(Arguments arguments) {
        Topologies topologies = new Topologies(arguments);
        topologies.output(arguments.get("topology")).to(arguments.get("out"), Produced.with(TEXT, LONG));
        return topologies.builder;
    }

    private KStream<String, Long> output(String name) {
        switch (name) {
            case "count":
                return grouped().count(counts("counts")).toStream();
            case "count-by-value":
                return input().groupBy((key, value) -> "value-" + value % 10, Grouped.with("by-value", TEXT, LONG))
                    .count(counts("counts")).toStream();
            case "windowed-count":
                return windows().toStream((window, count) -> window.key() + "@" + window.window().start());
            case "suppressed-count":
                return windows().suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()).withName("closed"))
                    .toStream((window, count) -> window.key() + "@" + window.window().start());
            case "session-count":
                return sessions().toStream((session, count) ->
                    session.key() + "@" + session.window().start() + "-" + session.window().end());
            case "stream-table-join":
                return input().leftJoin(table("in2", "prices"),
                    (value, price) -> value * 1000 + (price == null ? -1 : price), Joined.with(TEXT, LONG, LONG));
            case "foreign-key-join":
                return table("in", "left").join(table("in2", "right"), value -> "key-" + value % 10,
                    (left, right) -> left * 1000 + right, Materialized.with(TEXT, LONG)).toStream();
            default:
                throw new IllegalArgumentException("there is no topology `" + name + "`");
        }
    }

    private KStream<String, Long> input() {
        return builder.stream(arguments.get("in"), Consumed.with(TEXT, LONG));
    }

    private KGroupedStream<String, Long> grouped() {
        return input().groupByKey(Grouped.with(TEXT, LONG));
    }

    private KTable<String, Long> table(String argument, String store) {
        return builder.table(arguments.get(argument), Consumed.with(TEXT, LONG), counts(store));
    }

    private KTable<Windowed<String>, Long> windows() {
        return grouped().windowedBy(TimeWindows.ofSizeAndGrace(SIZE, GRACE)).count(Materialized
            .<String, Long, WindowStore<Bytes, byte[]>>as("windows").withKeySerde(TEXT).withValueSerde(LONG));
    }

    private KTable<Windowed<String>, Long> sessions() {
        return grouped().windowedBy(SessionWindows.ofInactivityGapAndGrace(SIZE, GRACE)).count(Materialized
            .<String, Long, SessionStore<Bytes, byte[]>>as("sessions").withKeySerde(TEXT).withValueSerde(LONG));
    }

    private static Materialized<String, Long, KeyValueStore<Bytes, byte[]>> counts(String store) {
        return Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as(store).withKeySerde(TEXT).withValueSerde(LONG);
    }
}
