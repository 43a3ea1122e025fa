// The words of the explorers in both languages: the English stands where it is used, the Chinese here.

const CHINESE = {
  "Bring the figure to life (loads {0} MB)": "让这幅图活起来（需载入 {0} MB）",
  "Draw this sentence (loads {0} MB)": "画出这个句子（需载入 {0} MB）",
  Loading: "正在载入",
  "The live model could not be started here. The figure shows the same model.":
    "活的模型在这里无法启动。图中显示的是同一个模型。",
  // interpolation
  "{0} pictures from one end of the walk to the other": "从一端走到另一端的 {0} 幅图像",
  averaged: "平均权重",
  raw: "原始权重",
  "{0} % of the way, {1} weights": "走到 {0} %，{1}",
  "Generated picture, {0}": "生成的图像，{0}",
  "Way from left to right": "从左到右走了多远",
  "Averaged weights": "平均权重",
  "Other ends": "换两个端点",
  Walk: "走动",
  Stop: "停下",
  "Walk from one random vector to another, and compare the averaged weights with the raw ones.":
    "从一个随机向量走到另一个，并比较平均权重与原始权重。",
  // latent-map
  "z = ({0}, {1}); the nearest encoded picture is a {2}": "z = ({0}, {1})；最近的已编码图像是 {2}",
  "Decoded picture at {0}": "解码所得的图像，{0}",
  "z₂, up": "z₂，向上",
  "z₁, right": "z₁，向右",
  "Drag the ring over the map, or use the sliders. Numerals: unseen digits where the encoder puts them.":
    "在地图上拖动圆环，或使用滑块。地图上的数字：未见过的数字图像被编码器放到的位置。",
  // sliders
  "All to zero": "全部归零",
  "Draw from the prior": "从先验抽取",
  "Move one latent at a time. How many things change in the picture?": "每次只移动一个潜变量。图像里有几样东西在变？",
  // particles
  "t = {0}: {1} % of the points lie in a circle. {2} evaluations of the network in all.":
    "t = {0}：{1} % 的点落在圆圈内。网络一共计算了 {2} 次。",
  "Map of {0} points. {1}": "{0} 个点的地图。{1}",
  "Time t": "时间 t",
  Steps: "步数",
  Method: "方法",
  Euler: "欧拉法",
  Heun: "休恩法",
  "From noise to data": "从噪声到数据",
  "Choose how many steps to take and how, then move the time. Circles: the data's modes. Lines: the way of a few points.":
    "选择走多少步、怎样走，然后移动时间。圆圈：数据的模式。线：几个点走过的路。",
  // drawing
  Data: "数据",
  "eight clusters": "八个簇",
  "draw your own": "自己画",
  "Clear the drawing": "清空图画",
  "Draw on the map with mouse, pen or finger. By keyboard: arrow keys move the brush, with Shift a little; space puts a dot, and draws while it is held down. The drawing stays in this browser.":
    "用鼠标、手写笔或手指在地图上画。用键盘：方向键移动画笔，按住 Shift 只移动一点；空格键放下一个点，按住不放则连续画。图画只留在这个浏览器里。",
  "{0} dots. Brush at ({1}, {2}).": "共 {0} 个点。画笔在 ({1}, {2})。",
  "No more dots fit in: the drawing is full.": "图画已满，放不下更多的点。",
  "To draw: arrow keys move the brush, space puts a dot. {0} {1}": "画图：方向键移动画笔，空格键放下一个点。{0}{1}",
  "Nothing is drawn yet: draw on the map.": "还什么都没画：请在地图上画。",
  // flow-2d
  Train: "训练",
  "Step {0}, {1} to go: loss {2}. {3}": "第 {0} 步，还剩 {1} 步：损失 {2}。{3}",
  "{0} % of the points end on the drawing.": "{0} % 的点最终落在图画上。",
  "{0} % of the points end in a circle.": "{0} % 的点最终落在圆圈内。",
  "Step {0}: the numbers have run away. Reset.": "第 {0} 步：数值已经发散。请重置。",
  "Not trained yet.": "还没有训练。",
  "Map of points and velocities at time {0}. {1}": "时间 {0} 的点和速度的地图。{1}",
  "The loss over the steps. {0}": "损失随步数的变化。{0}",
  "Train the velocity, then move the time. Dots: points on their way, coloured by where in the noise they start. Short lines: the velocity, from the thick end on. Circles: the data's clusters, three deviations wide.":
    "训练速度场，然后移动时间。点：途中的点，按它们在噪声中的起点着色。短线：速度，从粗的一端起。圆圈：数据的簇，半径为三个标准差。",
  // sentence
  Sentence: "句子",
  "First colour": "第一个颜色",
  "First shape": "第一个形状",
  "Where it lies": "它在哪里",
  "Second colour": "第二个颜色",
  "Second shape": "第二个形状",
  "No word '{0}' here; the nearest is '{1}'.": "这里没有词“{0}”；最接近的是“{1}”。",
  "{0} words that say something; a sentence has at most {1}.": "有 {0} 个有意义的词；一个句子最多有 {1} 个。",
  "Nothing is said yet.": "还什么都没有说。",
  "Use '{0}'": "改用“{0}”",
  "The picture before": "之前的图像",
  "Before: {0} ({1})": "之前：{0}（{1}）",
  "same noise": "同样的噪声",
  "other noise": "别的噪声",
  "Asked for": "所要求的",
  "Drawing of what is asked for: {0}": "所要求的内容的示意图：{0}",
  "Picture of '{0}'": "“{0}”的图像",
  "Drawn: {0}.": "画好了：{0}。",
  "On the way to '{0}', at t = {1}": "在通往“{0}”的路上，t = {1}",
  "Noise {0}, {1} evaluations of the network, guidance {2}.": "噪声 {0}，网络计算了 {1} 次，引导强度 {2}。",
  "That is not a whole sentence: training never showed one like it.": "这不是一个完整的句子：训练从未出现过这样的。",
  "Training never showed this sentence.": "训练从未出现过这个句子。",
  "Training showed this sentence, with other pictures.": "训练出现过这个句子，配的是别的图像。",
  "t = {0}: the noise of the code is {1} % gone.": "t = {0}：编码里的噪声已去掉 {1} %。",
  Guidance: "引导强度",
  "Other noise": "换一份噪声",
  "Same noise, other word": "噪声不变，换一个词",
  "From noise to picture": "从噪声到图像",
  "Write what to draw, in English or Chinese.": "用中文或英文写出要画什么。",
  "Or choose its words. The noise stays until you ask for another.": "也可以选词。噪声保持不变，直到你要求换一份。",
  // gan-2d
  loss: "损失",
  clusters: "簇",
  "{0} steps": "{0} 步",
  "Step {0}: {1} of {2} clusters covered.": "第 {0} 步：覆盖了 {2} 个簇中的 {1} 个。",
  "Step {0}: the numbers have run away. Reset, with a smaller rate or a penalty.":
    "第 {0} 步：数值已经发散。请重置，并调小学习率或加上惩罚。",
  "drawing covered, %": "图画的覆盖率，%",
  "Step {0}: {1} % of the drawing covered; {2} % of the samples lie on it.":
    "第 {0} 步：图画的 {1} % 已被覆盖；{2} % 的样本落在图画上。",
  "Map of samples, data and D's opinion. {0}": "样本、数据和 D 的看法的地图。{0}",
  "No step yet.": "还没有走一步。",
  "Loss of D {0}, of G {1}.": "D 的损失 {0}，G 的损失 {1}。",
  "Losses and coverage over the steps. {0}": "损失和覆盖情况随步数的变化。{0}",
  "{0} {1} Logit of D from {2} to {3}.": "{0}{1}D 的 logit 从 {2} 到 {3}。",
  Pause: "暂停",
  Run: "运行",
  "One step": "走一步",
  Reset: "重置",
  "Let it collapse": "让它坍塌",
  "Cure it": "治好它",
  Loss: "损失",
  minimax: "极小极大",
  "non-saturating": "非饱和",
  "least-squares": "最小二乘",
  hinge: "合页",
  relativistic: "相对",
  wasserstein: "Wasserstein",
  "wasserstein (needs a penalty)": "Wasserstein（需要惩罚）",
  Penalty: "惩罚",
  none: "无",
  "R1 and R2": "R1 和 R2",
  "Its weight γ": "惩罚的权重 γ",
  "Learning rate of G": "G 的学习率",
  "Learning rate of D": "D 的学习率",
  "Momentum β₁": "动量 β₁",
  "Random start": "随机起点",
  "Dots: samples. Circles: the data's clusters, bold where covered. Ground: D's opinion. Orange places are to it more like the data, blue ones more like the samples; the fuller the colour, the surer it is.":
    "点：样本。圆圈：数据的簇，已覆盖的加粗。底色：D 的看法。它认为橙色处更像数据，蓝色处更像样本；颜色越浓，它越有把握。",
};

/** A text in the page's language; `parts` stand where it has {0}, {1}, … */
export function say(text, ...parts) {
  const here = document.documentElement.lang.startsWith("zh") ? (CHINESE[text] ?? text) : text;
  return here.replace(/\{(\d)\}/g, (_, number) => parts[number]);
}
