package interop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Runs applications as it is told, a line each: {@code start --topology ..}, {@code stop ID}, {@code keys --topic ..}. Ends with its input; what runs then is
 * left as a crash would leave it.
 */
public final class Applications {
    private Applications() { }

    public static void main(String[] none) throws IOException {
        Map<String, Application> running = new ConcurrentHashMap<>();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            // One may take its time; the others do not wait for it.
            new Thread(() -> obey(words, running)).start();
        }
        Runtime.getRuntime().halt(0);
    }

    private static void obey(String[] words, Map<String, Application> running) {
        if (words[0].equals("start")) {
            Arguments arguments = new Arguments(words);
            running.put(arguments.get("application"), new Application(arguments));
        } else if (words[0].equals("keys")) {
            new Keys(new Arguments(words)).write(50);
        } else {
            running.remove(words[1]).stop();
        }
    }
}
