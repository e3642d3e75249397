// SPDX-License-Identifier: Apache-2.0

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;

/**
 * Reads the reports of Surefire, of JUnit's console launcher and of the model's check, names every failed and every skipped test with its reason,
 * and ends with one line that counts them all. Fails where a test failed, where none ran, or where the lab or the
 * emulated processor should have run and left no report.
 *
 * <p>Arguments: 1 where Maven should have run or else 0, the same for the lab and for the emulated processor, and the
 * repository's folder. What should not have run is not read: its reports are of another time.
 */
public final class TestSummary {
    private static final String SUREFIRE = "target/surefire-reports";
    private static final String LAUNCHER = "target/launcher-reports";
    private static final String MODEL = "target/model-reports";
    private static final List<String> LAB = List.of("target/lab-reports/processes", "target/lab-reports/inside");
    private static final List<String> KVM = List.of("target/kvm-reports");

    private int passed;
    private int failed;
    private int skipped;

    /** Runs the program. */
    public static void main(String[] args) throws Exception {
        boolean mavenExpected = args[0].equals("1");
        boolean labExpected = args[1].equals("1");
        boolean kvmExpected = args[2].equals("1");
        Path root = Path.of(args[3]);
        TestSummary all = new TestSummary();
        if (mavenExpected) {
            for (Path folder : List.of(root, root.resolve("examples"))) {
                try (Stream<Path> modules = Files.list(folder)) {
                    for (Path module :
                            modules.filter(Files::isDirectory).sorted().toList()) {
                        all.read(module.resolve(SUREFIRE));
                        all.read(module.resolve(LAUNCHER));
                        all.read(module.resolve(MODEL));
                    }
                }
            }
            all.print("outside the lab");
        }
        if (labExpected) {
            all.add("inside the lab", root.resolve("it"), LAB);
        }
        if (kvmExpected) {
            all.add("on an emulated processor", root.resolve("it"), KVM);
        }
        System.out.printf("%d passed, %d failed, %d skipped%n", all.passed, all.failed, all.skipped);
        System.exit(all.failed > 0 || all.passed == 0 ? 1 : 0);
    }

    /** Adds what ran in machines of their own, each of which has to have left a report. */
    private void add(String where, Path module, List<String> reports) throws Exception {
        TestSummary there = new TestSummary();
        boolean missing = false;
        for (String report : reports) {
            int before = there.passed;
            there.read(module.resolve(report));
            if (there.passed == before) {
                missing = true;
                System.out.println("FAILED  " + where + ": no report in it/" + report);
            }
        }
        there.print(where);
        passed += there.passed;
        failed += there.failed + (missing ? 1 : 0);
        skipped += there.skipped;
    }

    private void print(String where) {
        System.out.printf("%s: %d passed, %d failed, %d skipped%n", where, passed, failed, skipped);
    }

    private void read(Path reports) throws Exception {
        if (!Files.isDirectory(reports)) {
            return;
        }
        for (Path report : xmlFiles(reports)) {
            NodeList cases = DocumentBuilderFactory.newInstance()
                    .newDocumentBuilder()
                    .parse(report.toFile())
                    .getElementsByTagName("testcase");
            for (int i = 0; i < cases.getLength(); i++) {
                count((Element) cases.item(i));
            }
        }
    }

    private static List<Path> xmlFiles(Path reports) throws IOException {
        try (Stream<Path> files = Files.list(reports)) {
            return files.filter(file -> file.getFileName().toString().matches("TEST-.*\\.xml"))
                    .sorted()
                    .toList();
        }
    }

    private void count(Element test) {
        String name = test.getAttribute("classname") + "." + test.getAttribute("name");
        for (Node child = test.getFirstChild(); child != null; child = child.getNextSibling()) {
            switch (child.getNodeName()) {
                case "failure", "error" -> {
                    failed++;
                    System.out.println("FAILED  " + name + ": " + reason((Element) child));
                    return;
                }
                case "skipped" -> {
                    skipped++;
                    System.out.println("skipped " + name + ": " + reason((Element) child));
                    return;
                }
                default -> {}
            }
        }
        passed++;
    }

    private static String reason(Element result) {
        String message = result.getAttribute("message");
        String text = message.isBlank() ? result.getTextContent() : message;
        return text.strip().lines().findFirst().orElse("no reason given");
    }
}
