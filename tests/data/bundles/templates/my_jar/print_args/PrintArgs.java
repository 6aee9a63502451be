/** Prints its arguments. */
public class PrintArgs {
  public static void main(String[] args) {
    System.out.println("given " + String.join(",", args));
  }
}
