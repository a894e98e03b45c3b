package peers;

import java.util.HashMap;
import java.util.Map;
import java.util.Properties;

/** The command line: {@code --name value} and any number of {@code --set key=value}, which go to Kafka Streams as they are. */
final class Arguments {
    private final Map<String, String> given = new HashMap<>();
    final Properties set = new Properties();

    Arguments(String[] words) {
        for (int at = 0; at + 1 < words.length; at += 2) {
            if (words[at].equals("--set")) {
                String[] pair = words[at + 1].split("=", 2);
                set.put(pair[0], pair[1]);
            } else {
                given.put(words[at].substring("--".length()), words[at + 1]);
            }
        }
    }

    String get(String name) {
        String value = given.get(name);
        if (value == null) {
            throw new IllegalArgumentException("`--" + name + "` is missing");
        }
        return value;
    }
}
