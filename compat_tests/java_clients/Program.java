// The Java client's side of compat_tests: `serve BOOTSTRAP` answers JSON lines (serving.py's
// ServingProgram asks them), `member BOOTSTRAP GROUP TOPIC ASSIGNOR [INSTANCE]` is a group's member
// (groups.py reads what it prints). Compiled once for each version of kafka-clients, from 2.8 on.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.InvalidOffsetException;
import org.apache.kafka.common.protocol.Errors;

public class Program {
    static final ObjectMapper JSON = new ObjectMapper();
    static final long TIMEOUT_MS = 30_000;

    private static final PrintStream OUT =
            new PrintStream(System.out, true, StandardCharsets.UTF_8);

    static synchronized void say(Object line) {
        try {
            OUT.println(JSON.writeValueAsString(line));
        } catch (java.io.IOException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** The broker's code behind an exception; null when the client itself gave up. */
    static Integer code(Throwable failure) {
        for (Throwable at = failure; at != null; at = at.getCause()) {
            if (at instanceof InvalidOffsetException) {
                return (int) Errors.OFFSET_OUT_OF_RANGE.code();
            }
            if (at instanceof CommitFailedException) {
                return (int) Errors.UNKNOWN_MEMBER_ID.code();
            }
            Errors error = Errors.forException(at);
            boolean isBrokers = error != Errors.UNKNOWN_SERVER_ERROR;
            if (isBrokers && !(at instanceof org.apache.kafka.common.errors.TimeoutException)) {
                return (int) error.code();
            }
        }
        return null;
    }

    private static Object failed(Throwable failure) {
        StringWriter text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        Map<String, Object> error = new LinkedHashMap<>();
        error.put("code", code(failure));
        error.put("text", text.toString());
        return Map.of("error", error);
    }

    private static void serve(String bootstrap) throws Exception {
        BufferedReader questions =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (Operations operations = new Operations(bootstrap)) {
            for (String line; (line = questions.readLine()) != null; ) {
                Object answer;
                try {
                    JsonNode question = JSON.readTree(line);
                    Map<String, Object> result = new LinkedHashMap<>();
                    result.put("result", operations.answer(question));
                    answer = result;
                } catch (Exception failure) {
                    answer = failed(failure);
                }
                say(answer);
            }
        }
    }

    public static void main(String[] words) throws Exception {
        if (words[0].equals("serve")) {
            serve(words[1]);
        } else {
            String instance = words.length > 5 ? words[5] : null;
            Member.live(words[1], words[2], words[3], words[4], instance);
        }
    }
}
